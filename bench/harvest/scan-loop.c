// The plain loop that a harvest of clean tables is compared with: looks at every 64-bit entry for a dirty bit.
//   scan-loop BYTES SCANS     prints the bytes a second of each scan
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
  if (argc != 3) return 2;
  size_t bytes = strtoull(argv[1], NULL, 10);
  int scans = atoi(argv[2]);
  uint64_t *entries = malloc(bytes);
  if (entries == NULL) return 1;
  for (size_t i = 0; i < bytes / 8; i++) entries[i] = (i << 12) | 3;
  entries[bytes / 16] |= DIRTY;
  for (int i = 0; i < scans; i++) {
    double from = now();
    size_t dirty = scan(entries, bytes / 8);
    double ns = now() - from;
    if (dirty != 1) return 3;
    printf("%.0f\n", (double)bytes / ns);
  }
  return 0;
}
