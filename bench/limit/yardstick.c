// The yardstick of the replay kernel: what a plain C program does with the same rules, on the same machine, in the same run.
//
//   cc -O3 -march=native -o yardstick yardstick.c && ./yardstick NAME ROUNDS
//
// NAME.ev holds events of 8 bytes (little-endian): bits 3:0 operation (0 read, 1 write, 2 invalidate a range, 3 a domain),
// 11:4 pages of the range, 47:12 page number, 63:48 domain. NAME.map holds one such word for each mapped page.
// 64 sets of 4 ways, the set by (page ^ page >> 6 ^ 37 * domain) modulo 64; least recently used replaced; an invalidated way
// keeps its place in the order until it ages out; a miss reads a table of four levels.
// Prints one line of JSON: CPU time of the median round in ns, then the counts of a round.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SETS = 64, WAYS = 4, LEVELS = 4, INDEX_BITS = 9, TABLE = 1 << INDEX_BITS, DOMAINS = 64, PROBED = 16 };
enum { READ, WRITE, INVALIDATE_RANGE, INVALIDATE_DOMAIN };

struct counts { uint64_t hit, miss, walk, fault, inv, cmd, sum; };
// ways of a set from newest to oldest; a key is domain, page and a set bit 0, so that an empty way is 0
struct cache { uint64_t key[SETS][WAYS]; uint32_t output[SETS][WAYS]; };

static uint32_t *tables;
static uint32_t tables_used = DOMAINS;

static inline unsigned domain_of(uint64_t event) { return event >> 48; }
static inline uint64_t page_of(uint64_t event) { return event << 16 >> 28; }
static inline uint64_t key_of(uint64_t event) { return (event & ~(uint64_t)0xfff) | 1; }
static inline unsigned set_of(uint64_t event) {
  uint32_t page = (uint32_t)(event >> 12);
  return (page ^ page >> 6 ^ domain_of(event) * 37u) % SETS;
}

static void map_page(uint64_t word) {
  uint64_t page = page_of(word);
  uint32_t table = domain_of(word);
  for (int shift = (LEVELS - 1) * INDEX_BITS; shift > 0; shift -= INDEX_BITS) {
    uint32_t *entry = &tables[(uint64_t)table * TABLE + (page >> shift) % TABLE];
    if (*entry == 0) *entry = tables_used++;
    table = *entry;
  }
  tables[(uint64_t)table * TABLE + page % TABLE] = ((uint32_t)page * 2654435761u >> 8) + 1;
}

// 0 where the page is not mapped
static inline uint32_t walk(uint64_t event, uint64_t *reads) {
  uint64_t page = page_of(event);
  uint32_t entry = domain_of(event);
#pragma GCC unroll 4
  for (int shift = (LEVELS - 1) * INDEX_BITS; shift >= 0; shift -= INDEX_BITS) {
    entry = tables[(uint64_t)entry * TABLE + (page >> shift) % TABLE];
    ++*reads;
    if (entry == 0) break;
  }
  return entry;
}

static uint64_t drop_between(struct cache *cache, uint64_t first, uint64_t last) {
  uint64_t *key = &cache->key[0][0], dropped = 0;
  for (int i = 0; i < SETS * WAYS; i++) {
    int gone = (key[i] >= first) & (key[i] <= last);
    key[i] = gone ? 0 : key[i];
    dropped += gone;
  }
  return dropped;
}

static uint64_t drop_pages(struct cache *cache, uint64_t event, unsigned pages) {
  uint64_t dropped = 0;
  for (unsigned i = 0; i < pages; i++) {
    uint64_t key = key_of(event) + ((uint64_t)i << 12);
    uint64_t *ways = cache->key[set_of(key)];
    for (int way = 0; way < WAYS; way++) {
      if (ways[way] != key) continue;
      ways[way] = 0;
      dropped++;
    }
  }
  return dropped;
}

static __attribute__((noinline)) void play(const uint64_t *event, uint64_t count, struct cache *cache, struct counts *counts) {
  struct counts c = {0};
  for (const uint64_t *end = event + count; event < end; event++) {
    unsigned operation = *event & 15;
    if (__builtin_expect(operation > WRITE, 0)) {
      unsigned pages = *event >> 4 & 255;
      uint64_t first = key_of(*event);
      c.cmd++;
      if (operation == INVALIDATE_DOMAIN) {
        uint64_t start = (uint64_t)domain_of(*event) << 48;
        c.inv += drop_between(cache, start | 1, start | 0xffffffffffffull);
      } else if (pages <= PROBED) c.inv += drop_pages(cache, *event, pages);
      else c.inv += drop_between(cache, first, first + ((uint64_t)(pages - 1) << 12));
      continue;
    }
    uint64_t key = key_of(*event);
    unsigned set = set_of(*event);
    uint64_t *k = cache->key[set];
    uint32_t *o = cache->output[set];
    uint64_t k0 = k[0];
    if (k0 == key) {
      c.hit++;
      c.sum += o[0];
      continue;
    }
    uint64_t k1 = k[1], k2 = k[2];
    uint32_t o0 = o[0], o1 = o[1], o2 = o[2], output;
    if (k1 == key) {
      c.hit++;
      c.sum += o1;
      k[1] = k0, o[1] = o0;
      k[0] = key, o[0] = o1;
      continue;
    }
    if (k2 == key) {
      c.hit++;
      c.sum += o2;
      k[2] = k1, o[2] = o1;
      k[1] = k0, o[1] = o0;
      k[0] = key, o[0] = o2;
      continue;
    }
    if (k[3] == key) {
      c.hit++;
      output = o[3];
    } else {
      c.miss++;
      output = walk(*event, &c.walk);
      if (output == 0) {
        c.fault++;
        continue;
      }
    }
    c.sum += output;
    k[3] = k2, o[3] = o2;
    k[2] = k1, o[2] = o1;
    k[1] = k0, o[1] = o0;
    k[0] = key, o[0] = output;
  }
  *counts = c;
}

static uint64_t *words_of(const char *name, const char *suffix, uint64_t *count) {
  char path[4096];
  snprintf(path, sizeof path, "%s.%s", name, suffix);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  *count = (uint64_t)ftell(file) / 8;
  rewind(file);
  uint64_t *words = malloc(*count * 8 + 8);
  if (words == NULL || fread(words, 8, *count, file) != *count) exit(1);
  fclose(file);
  return words;
}

static int64_t cpu_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  uint64_t events, maps;
  uint64_t *event = words_of(argv[1], "ev", &events), *map = words_of(argv[1], "map", &maps);
  int rounds = atoi(argv[2]);
  if (rounds < 1 || rounds > 99) return 2;
  // a table of each level for every mapped page is more than enough, but the system gives only what is touched
  uint64_t bytes = (DOMAINS + maps * (LEVELS - 1)) * TABLE * 4;
  if (bytes > (64ull << 20)) bytes = 64ull << 20;
  tables = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  struct cache *cache = aligned_alloc(64, (sizeof *cache + 63) / 64 * 64);
  if (tables == NULL || cache == NULL) return 1;
  memset(tables, 0, bytes);
  for (uint64_t i = 0; i < maps; i++) map_page(map[i]);
  int64_t took[99];
  struct counts c;
  for (int round = -1; round < rounds; round++) {
    memset(cache, 0, sizeof *cache);
    int64_t from = cpu_ns();
    play(event, events, cache, &c);
    // the first is for the caches of the machine
    if (round >= 0) took[round] = cpu_ns() - from;
  }
  qsort(took, rounds, sizeof *took, ascending);
  printf("{\"cpuNs\":%lld,\"hit\":%llu,\"miss\":%llu,\"walk\":%llu,\"fault\":%llu,\"inv\":%llu,\"cmd\":%llu,\"sum\":\"%llu\"}\n",
         (long long)took[rounds / 2], (unsigned long long)c.hit, (unsigned long long)c.miss, (unsigned long long)c.walk,
         (unsigned long long)c.fault, (unsigned long long)c.inv, (unsigned long long)c.cmd, (unsigned long long)c.sum);
  return 0;
}
