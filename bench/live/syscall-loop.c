// Makes system calls at a rate, and says how many, and what they cost: what a recorder is measured by.
//   syscall-loop PROCESSES SECONDS RATE     RATE calls a second each, for so long
//   syscall-loop PROCESSES 0 COUNT          COUNT calls each, as fast as it goes
//   syscall-loop 1 marks FILE               each call carries a number that FILE (u64 number, u64 ns) has before
// Prints "CALLS CPU_NS WALL_NS" a process.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void marks(const char *file) {
  int fd = open(file, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, 4096) != 0) exit(1);
  volatile uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) exit(1);
  for (uint64_t number = 1;; number++) {
    // lseek(2) of no file: its offset is the number.
    syscall(SYS_lseek, -1, number, SEEK_SET);
    page[1] = now();
    page[0] = number;
    if (number % 64 == 0) usleep(1000);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  if (strcmp(argv[2], "marks") == 0) marks(argv[3]);
  int processes = atoi(argv[1]);
  double seconds = atof(argv[2]);
  uint64_t amount = strtoull(argv[3], NULL, 10);
  for (int i = 1; i < processes; i++) if (fork() == 0) break;
  uint64_t begun = now();
  uint64_t calls = 0;
  if (seconds == 0) for (; calls < amount; calls++) syscall(SYS_getppid);
  else {
    uint64_t span = (uint64_t)(seconds * 1e9);
    for (uint64_t passed = 0; passed < span; passed = now() - begun) {
      // What is due by now, in small pieces, so that an interruption is made up for and the rate stays.
      uint64_t due = (uint64_t)((double)passed * 1e-9 * (double)amount);
      for (int i = 0; i < 100 && calls < due; i++, calls++) syscall(SYS_getppid);
    }
  }
  uint64_t wall = now() - begun;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  uint64_t cpu = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000u +
                 (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000u;
  char line[96];
  int length = snprintf(line, sizeof line, "%llu %llu %llu\n", (unsigned long long)calls, (unsigned long long)cpu, (unsigned long long)wall);
  if (write(1, line, (size_t)length) != length) return 1;
  while (wait(NULL) > 0) {}
  return 0;
}
