// The plain loop that a harvest of clean tables is compared with: looks at every 64-bit entry for a dirty bit.
//   scan-loop BYTES SCANS PROCESSES [TURNS]   each process over memory of its own, all at once; prints the bytes a second of each
//   scan of so many turns
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DIRTY 0x200u

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// not inlined, so that scans of memory that nobody changes are not made one
__attribute__((noinline)) static size_t scan(const uint64_t *entries, size_t count) {
  size_t dirty = 0;
  for (size_t i = 0; i < count; i++) {
    if (entries[i] & DIRTY) dirty++;
  }
  return dirty;
}

int main(int argc, char **argv) {
  if (argc < 4 || argc > 5) return 2;
  size_t bytes = strtoull(argv[1], NULL, 10);
  int scans = atoi(argv[2]);
  int processes = atoi(argv[3]);
  int turns = argc > 4 ? atoi(argv[4]) : 1;
  atomic_int *ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (ready == MAP_FAILED) return 1;
  for (int i = 1; i < processes; i++) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) break;
  }
  uint64_t *entries = malloc(bytes);
  if (entries == NULL) return 1;
  for (size_t i = 0; i < bytes / 8; i++) entries[i] = (i << 12) | 3;
  entries[bytes / 16] |= DIRTY;
  atomic_fetch_add(ready, 1);
  for (int i = 0; i < 100000 && atomic_load(ready) < processes; i++) usleep(100);
  for (int i = 0; i < scans; i++) {
    double from = now();
    size_t dirty = 0;
    for (int turn = 0; turn < turns; turn++) dirty += scan(entries, bytes / 8);
    double seconds = now() - from;
    if (dirty != (size_t)turns) return 3;
    printf("%.0f\n", (double)bytes * turns / seconds);
  }
  fflush(stdout);
  while (wait(NULL) > 0) {
  }
  return 0;
}
