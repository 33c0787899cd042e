// What the laboratory's programs share: one line per call, and a count of those that did not do what was expected.
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int surprises;

static void said(const char *what, long result, int expected) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %s\n", what, result, error ? strerror(error) : "ok");
  if (error == expected) return;
  printf("expected: %s\n", expected ? strerror(expected) : "ok");
  surprises++;
}

static long call(int fd, const char *name, unsigned long request, void *argument, int expected) {
  errno = 0;
  long result = ioctl(fd, request, argument);
  said(name, result, expected);
  return result;
}

// Memory that is there before it is pinned: what records reads it without waiting for a page.
static void *memory(size_t bytes) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (at == MAP_FAILED) {
    perror("mmap");
    exit(2);
  }
  memset(at, 0x5a, bytes);
  return at;
}

#define CALL(fd, request, argument) call(fd, #request, request, argument, 0)
#define REFUSED(fd, request, argument, expected) call(fd, #request, request, argument, expected)
