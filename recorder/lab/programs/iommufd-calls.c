// Drives IOMMUFD and its mock driver (CONFIG_IOMMUFD_TEST) through every object that they have, refusals included.
#include <fcntl.h>
#include <sys/wait.h>

#include "iommufd.h"

// Address spaces without a device: ranges, maps, copies, unmaps and what is refused.
static void address_spaces(char *buffer) {
  uint32_t one = new_ioas();
  uint32_t two = new_ioas();
  ranges(one);
  allow(two, 0x1000000, 0x1ffffff);
  option(IOMMU_OPTION_HUGE_PAGES, one, IOMMU_OPTION_OP_GET, 0, 0);
  option(IOMMU_OPTION_HUGE_PAGES, one, IOMMU_OPTION_OP_SET, 0, 0);
  option(IOMMU_OPTION_HUGE_PAGES, one, IOMMU_OPTION_OP_SET, 2, EINVAL);
  option(IOMMU_OPTION_RLIMIT_MODE, 0, IOMMU_OPTION_OP_GET, 0, 0);
  uint32_t rw = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE;
  map_at(one, buffer, START, SPAN, rw, 0);
  map_at(one, buffer, START + PAGE, PAGE, rw, EEXIST);
  map_at(one, buffer, START + SPAN, 0, rw, EINVAL);
  map_at(one, buffer, UINT64_MAX - PAGE + 1, 2 * PAGE, rw, EOVERFLOW);
  map_at(99, buffer, START, PAGE, rw, ENOENT);
  map_at(two, buffer, START, PAGE, rw, 0);
  uint64_t found = map_anywhere(two, buffer + SPAN, 2 * PAGE);
  struct iommu_ioas_copy copy = {
      .size = sizeof(copy),
      .flags = rw,
      .dst_ioas_id = two,
      .src_ioas_id = one,
      .length = 4 * PAGE,
      .src_iova = START + 2 * PAGE,
  };
  CALL(iommufd, IOMMU_IOAS_COPY, &copy);
  unmap(two, copy.dst_iova, 4 * PAGE, 0);
  copy.src_iova = START + SPAN;
  REFUSED(iommufd, IOMMU_IOAS_COPY, &copy, ENOENT);
  unmap(one, START + PAGE, PAGE, ENOENT);
  unmap(one, START + SPAN, PAGE, ENOENT);
  unmap(two, found, 2 * PAGE, 0);
  unmap(one, 0, UINT64_MAX, 0);
  COMMAND(add_reserved, IOMMU_TEST_OP_ADD_RESERVED, one);
  add_reserved.add_reserved.start = 0x10000000;
  add_reserved.add_reserved.length = PAGE;
  TEST(iommufd, add_reserved);
  map_at(one, buffer, 0x10000000, PAGE, rw, EINVAL);
  ranges(one);
  destroy(one, 0);
  destroy(two, 0);
  destroy(one, ENOENT);
}

// Devices, domains that are found and made, and what the tables hold.
static void devices(char *buffer) {
  uint32_t ioas = new_ioas();
  uint32_t other = new_ioas();
  map_at(ioas, buffer, START, SPAN, IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE, 0);
  struct device device = new_device(ioas);
  struct device second = new_device(ioas);
  struct iommu_test_hw_info info = {0};
  struct iommu_hw_info hardware = {
      .size = sizeof(hardware), .dev_id = device.idev, .data_len = sizeof(info), .data_uptr = (uintptr_t)&info};
  CALL(iommufd, IOMMU_GET_HW_INFO, &hardware);
  ranges(ioas);
  COMMAND(check_map, IOMMU_TEST_OP_MD_CHECK_MAP, device.hwpt);
  check_map.check_map.iova = START;
  check_map.check_map.length = SPAN;
  check_map.check_map.uptr = (uintptr_t)buffer;
  TEST(iommufd, check_map);
  COMMAND(check_refs, IOMMU_TEST_OP_MD_CHECK_REFS, 0);
  check_refs.check_refs.length = 4 * PAGE;
  check_refs.check_refs.uptr = (uintptr_t)buffer;
  check_refs.check_refs.refs = 1;
  TEST(iommufd, check_refs);
  map_at(ioas, buffer, 0x1000, PAGE, IOMMU_IOAS_MAP_READABLE, EINVAL);
  destroy(device.hwpt, EBUSY);
  replace(second.stdev, other, 0);
  uint32_t hwpt = new_hwpt((struct allocation){.device = device.idev, .pt = ioas}, 0);
  replace(device.stdev, hwpt, 0);
  new_hwpt((struct allocation){.device = device.idev, .pt = ioas, .flags = 1u << 31}, EOPNOTSUPP);
  new_hwpt((struct allocation){.device = device.idev, .pt = 99}, ENOENT);
  destroy(ioas, EBUSY);
  unmap(ioas, START, SPAN, 0);
  destroy(second.stdev, 0);
  destroy(device.stdev, 0);
  destroy(hwpt, 0);
  destroy(other, 0);
  destroy(ioas, 0);
}

// Accesses by the kernel itself: pages pinned, read and written.
static void accesses(char *buffer) {
  uint32_t ioas = new_ioas();
  map_at(ioas, buffer, START, SPAN, IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE, 0);
  COMMAND(create_access, IOMMU_TEST_OP_CREATE_ACCESS, ioas);
  create_access.create_access.flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES;
  TEST(iommufd, create_access);
  int access = create_access.create_access.out_access_fd;
  COMMAND(pages, IOMMU_TEST_OP_ACCESS_PAGES, access);
  pages.access_pages.flags = MOCK_FLAGS_ACCESS_WRITE;
  pages.access_pages.iova = START + PAGE;
  pages.access_pages.length = 3 * PAGE;
  pages.access_pages.uptr = (uintptr_t)(buffer + PAGE);
  TEST(iommufd, pages);
  char *bytes = memory(PAGE);
  COMMAND(rw, IOMMU_TEST_OP_ACCESS_RW, access);
  rw.access_rw.iova = START + 100;
  rw.access_rw.length = 2000;
  rw.access_rw.uptr = (uintptr_t)bytes;
  TEST(iommufd, rw);
  rw.access_rw.flags = MOCK_ACCESS_RW_WRITE;
  memset(bytes, 0x33, PAGE);
  TEST(iommufd, rw);
  rw.access_rw.iova = START + SPAN;
  TEST_REFUSED(iommufd, rw, ENOENT);
  COMMAND(unpin, IOMMU_TEST_OP_DESTROY_ACCESS_PAGES, access);
  unpin.destroy_access_pages.access_pages_id = pages.access_pages.out_access_pages_id;
  TEST(iommufd, unpin);
  unpin.destroy_access_pages.access_pages_id = 77;
  TEST_REFUSED(iommufd, unpin, ENOENT);
  uint32_t other = new_ioas();
  COMMAND(access_replace, IOMMU_TEST_OP_ACCESS_REPLACE_IOAS, access);
  access_replace.access_replace_ioas.ioas_id = other;
  TEST(iommufd, access_replace);
  destroy(ioas, 0);
  destroy(other, EBUSY);
  close(access);
  destroy(other, 0);
}

// Dirty tracking: bits set by the mock, read with and without being cleared.
static void dirty(char *buffer) {
  uint32_t ioas = new_ioas();
  struct device device = new_device(ioas);
  uint32_t hwpt =
      new_hwpt((struct allocation){.device = device.idev, .pt = ioas, .flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING}, 0);
  map_at(ioas, buffer, START, SPAN, IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE, 0);
  replace(device.stdev, hwpt, 0);
  struct iommu_hwpt_set_dirty_tracking set = {
      .size = sizeof(set), .flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE, .hwpt_id = hwpt};
  CALL(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set);
  uint64_t *marks = memory(PAGE);
  uint64_t *bits = memory(PAGE);
  memset(marks, 0, PAGE);
  memset(bits, 0, PAGE);
  marks[0] = 0x8000000100010205;
  marks[1] = 0x1;
  COMMAND(mock_dirty, IOMMU_TEST_OP_DIRTY, hwpt);
  mock_dirty.dirty.iova = START;
  mock_dirty.dirty.length = SPAN;
  mock_dirty.dirty.page_size = MOCK_PAGE_SIZE;
  mock_dirty.dirty.uptr = (uintptr_t)marks;
  TEST(iommufd, mock_dirty);
  struct iommu_hwpt_get_dirty_bitmap get = {
      .size = sizeof(get),
      .hwpt_id = hwpt,
      .flags = IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR,
      .iova = START,
      .length = SPAN,
      .page_size = PAGE,
      .data = (uintptr_t)bits,
  };
  CALL(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get);
  memset(bits, 0, PAGE);
  get.flags = 0;
  CALL(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get);
  memset(bits, 0, PAGE);
  CALL(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get);
  get.page_size = 3000;
  REFUSED(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get, EINVAL);
  set.flags = 0;
  CALL(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set);
  set.hwpt_id = ioas;
  REFUSED(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set, EINVAL);
  destroy(device.stdev, 0);
  destroy(hwpt, 0);
  destroy(ioas, 0);
}

static void fault(uint32_t device, uint32_t pasid, uint32_t group, uint64_t address) {
  COMMAND(trigger, IOMMU_TEST_OP_TRIGGER_IOPF, 0);
  trigger.trigger_iopf.dev_id = device;
  trigger.trigger_iopf.pasid = pasid;
  trigger.trigger_iopf.grpid = group;
  trigger.trigger_iopf.perm = IOMMU_PGFAULT_PERM_READ | IOMMU_PGFAULT_PERM_WRITE;
  trigger.trigger_iopf.addr = address;
  TEST(iommufd, trigger);
}

// Reads the faults that wait, `batch` at a time, and answers each.
static void answer(int queue, int batch, uint32_t code) {
  struct iommu_hwpt_pgfault faults[8];
  long got;
  while ((got = read(queue, faults, batch * sizeof(*faults))) > 0) {
    said("read faults", got, 0);
    int count = got / sizeof(*faults);
    struct iommu_hwpt_page_response responses[8];
    for (int i = 0; i < count; i++) {
      responses[i] = (struct iommu_hwpt_page_response){.cookie = faults[i].cookie, .code = code};
    }
    said("write responses", write(queue, responses, count * sizeof(*responses)), 0);
  }
  said("read faults", got, 0);
}

// Nested tables, invalidations, and page faults that user space answers.
static void nested(char *buffer) {
  uint32_t ioas = new_ioas();
  struct device device = new_device(ioas);
  map_at(ioas, buffer, START, SPAN, IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE, 0);
  uint32_t parent =
      new_hwpt((struct allocation){.device = device.idev, .pt = ioas, .flags = IOMMU_HWPT_ALLOC_NEST_PARENT}, 0);
  struct iommu_fault_alloc queue = {.size = sizeof(queue)};
  CALL(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &queue);
  int faults = queue.out_fault_fd;
  fcntl(faults, F_SETFL, O_NONBLOCK);
  uint32_t plain = new_nested(device.idev, parent, 0, 0x1234);
  uint32_t faulting = new_nested(device.idev, parent, queue.out_fault_id, 0x5678);
  new_hwpt((struct allocation){.device = device.idev, .pt = plain}, EINVAL);
  replace(device.stdev, plain, 0);
  struct iommu_hwpt_invalidate_selftest entries[3] = {
      {.iotlb_id = 0}, {.iotlb_id = 2}, {.flags = IOMMU_TEST_INVALIDATE_FLAG_ALL}};
  struct iommu_hwpt_invalidate invalidate = {
      .size = sizeof(invalidate),
      .hwpt_id = plain,
      .data_uptr = (uintptr_t)entries,
      .data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
      .entry_len = sizeof(*entries),
      .entry_num = 2,
  };
  CALL(iommufd, IOMMU_HWPT_INVALIDATE, &invalidate);
  COMMAND(check_iotlb, IOMMU_TEST_OP_MD_CHECK_IOTLB, plain);
  check_iotlb.check_iotlb.id = 1;
  check_iotlb.check_iotlb.iotlb = 0x1234;
  TEST(iommufd, check_iotlb);
  check_iotlb.check_iotlb.id = 2;
  TEST_REFUSED(iommufd, check_iotlb, EINVAL);
  invalidate.entry_num = 3;
  CALL(iommufd, IOMMU_HWPT_INVALIDATE, &invalidate);
  entries[1].iotlb_id = 9;
  invalidate.entry_num = 3;
  REFUSED(iommufd, IOMMU_HWPT_INVALIDATE, &invalidate, EINVAL);
  invalidate.data_type = 1;
  REFUSED(iommufd, IOMMU_HWPT_INVALIDATE, &invalidate, EINVAL);

  replace(device.stdev, faulting, 0);
  for (uint32_t i = 0; i < 6; i++) fault(device.idev, 0, i, START + i * PAGE);
  answer(faults, 1, IOMMUFD_PAGE_RESP_SUCCESS);
  for (uint32_t i = 0; i < 10; i++) fault(device.idev, 0, 100 + i, START + i * PAGE);
  answer(faults, 4, IOMMUFD_PAGE_RESP_INVALID);
  struct iommu_hwpt_page_response unknown = {.cookie = 4711};
  said("write responses", write(faults, &unknown, sizeof(unknown)), EINVAL);
  said("write responses", write(faults, &unknown, 4), EINVAL);
  struct iommu_hwpt_pgfault one;
  errno = 0;
  said("read faults", read(faults, &one, 5), ESPIPE);
  fault(device.idev, 0, 300, START);
  said("read faults", read(faults, &one, sizeof(one)), 0);
  // What waits is answered by the kernel when its domain goes.
  fault(device.idev, 0, 301, START + PAGE);
  replace(device.stdev, parent, 0);
  destroy(queue.out_fault_id, EBUSY);
  destroy(parent, EBUSY);
  destroy(faulting, 0);
  destroy(plain, 0);
  destroy(device.stdev, 0);
  destroy(parent, 0);
  destroy(queue.out_fault_id, 0);
  close(faults);
  destroy(ioas, 0);
}

#ifdef IOMMU_VIOMMU_ALLOC
// A virtual IOMMU: its devices, invalidations by virtual id, and its events.
static void virtual(void) {
  uint32_t ioas = new_ioas();
  struct device device = new_device(ioas);
  uint32_t parent =
      new_hwpt((struct allocation){.device = device.idev, .pt = ioas, .flags = IOMMU_HWPT_ALLOC_NEST_PARENT}, 0);
  struct iommu_viommu_alloc viommu = {
      .size = sizeof(viommu), .type = IOMMU_VIOMMU_TYPE_SELFTEST, .dev_id = device.idev, .hwpt_id = parent};
  CALL(iommufd, IOMMU_VIOMMU_ALLOC, &viommu);
  struct iommu_vdevice_alloc vdevice = {
      .size = sizeof(vdevice), .viommu_id = viommu.out_viommu_id, .dev_id = device.idev, .virt_id = 0x99};
  CALL(iommufd, IOMMU_VDEVICE_ALLOC, &vdevice);
  REFUSED(iommufd, IOMMU_VDEVICE_ALLOC, &vdevice, EEXIST);
  uint32_t hwpt = new_nested(device.idev, viommu.out_viommu_id, 0, 0x77);
  replace(device.stdev, hwpt, 0);
  struct iommu_viommu_invalidate_selftest entries[2] = {{.vdev_id = 0x99, .cache_id = 1},
                                                        {.vdev_id = 0x99, .cache_id = 3}};
  struct iommu_hwpt_invalidate invalidate = {
      .size = sizeof(invalidate),
      .hwpt_id = viommu.out_viommu_id,
      .data_uptr = (uintptr_t)entries,
      .data_type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
      .entry_len = sizeof(*entries),
      .entry_num = 2,
  };
  CALL(iommufd, IOMMU_HWPT_INVALIDATE, &invalidate);
  entries[1].vdev_id = 0x98;
  invalidate.entry_num = 2;
  REFUSED(iommufd, IOMMU_HWPT_INVALIDATE, &invalidate, EINVAL);
  COMMAND(check_cache, IOMMU_TEST_OP_DEV_CHECK_CACHE, device.idev);
  check_cache.check_dev_cache.id = 3;
  TEST(iommufd, check_cache);
  check_cache.check_dev_cache.id = 2;
  check_cache.check_dev_cache.cache = IOMMU_TEST_DEV_CACHE_DEFAULT;
  TEST(iommufd, check_cache);
#ifdef IOMMU_VEVENTQ_ALLOC
  struct iommu_veventq_alloc queue = {
      .size = sizeof(queue),
      .viommu_id = viommu.out_viommu_id,
      .type = IOMMU_VEVENTQ_TYPE_SELFTEST,
      .veventq_depth = 2,
  };
  CALL(iommufd, IOMMU_VEVENTQ_ALLOC, &queue);
  fcntl(queue.out_veventq_fd, F_SETFL, O_NONBLOCK);
  COMMAND(event, IOMMU_TEST_OP_TRIGGER_VEVENT, 0);
  event.trigger_vevent.dev_id = device.idev;
  char events[64];
  TEST(iommufd, event);
  said("read events", read(queue.out_veventq_fd, events, sizeof(events)), 0);
  for (int i = 0; i < 5; i++) TEST(iommufd, event);
  said("read events", read(queue.out_veventq_fd, events, sizeof(events)), 0);
  destroy(queue.out_veventq_id, 0);
  close(queue.out_veventq_fd);
#endif
  destroy(viommu.out_viommu_id, EBUSY);
  replace(device.stdev, parent, 0);
  destroy(hwpt, 0);
  destroy(vdevice.out_vdevice_id, 0);
  destroy(viommu.out_viommu_id, 0);
  destroy(device.stdev, 0);
  destroy(parent, 0);
  destroy(ioas, 0);
}
#endif

// A device with address spaces by PASID.
static void pasids(void) {
  uint32_t ioas = new_ioas();
  struct device device = new_pasid_device(ioas);
  uint32_t hwpt = new_hwpt((struct allocation){.device = device.idev, .pt = ioas, .flags = IOMMU_HWPT_ALLOC_PASID}, 0);
  replace(device.stdev, hwpt, 0);
  COMMAND(attach, IOMMU_TEST_OP_PASID_ATTACH, device.stdev);
  attach.pasid_attach.pasid = 7;
  attach.pasid_attach.pt_id = hwpt;
  TEST(iommufd, attach);
  COMMAND(check, IOMMU_TEST_OP_PASID_CHECK_HWPT, device.stdev);
  check.pasid_check.pasid = 7;
  check.pasid_check.hwpt_id = hwpt;
  TEST(iommufd, check);
  COMMAND(detach, IOMMU_TEST_OP_PASID_DETACH, device.stdev);
  detach.pasid_detach.pasid = 7;
  TEST(iommufd, detach);
  TEST_REFUSED(iommufd, check, EINVAL);
  destroy(device.stdev, 0);
  destroy(hwpt, 0);
  destroy(ioas, 0);
}

// What every command refuses (drivers/iommu/iommufd/main.c).
static void refusals(void) {
  struct iommu_ioas_alloc request = {.size = 4};
  REFUSED(iommufd, IOMMU_IOAS_ALLOC, &request, EINVAL);
  struct {
    struct iommu_ioas_alloc request;
    uint32_t beyond;
  } longer = {.request = {.size = sizeof(longer)}, .beyond = 1};
  REFUSED(iommufd, IOMMU_IOAS_ALLOC, &longer, E2BIG);
  longer.beyond = 0;
  CALL(iommufd, IOMMU_IOAS_ALLOC, &longer);
  destroy(longer.request.out_ioas_id, 0);
  REFUSED(iommufd, IOMMU_DESTROY, NULL, EFAULT);
  REFUSED(iommufd, _IO(IOMMUFD_TYPE, 0xfe), &request, ENOTTY);
  destroy(0, ENOENT);
}

#ifdef IOMMU_IOAS_MAP_FILE
// In a process and a context of its own: a recording of ioctls alone does not tell what the file is.
static void files(void) {
  pid_t child = fork();
  if (child != 0) {
    waitpid(child, NULL, 0);
    return;
  }
  iommufd = open("/dev/iommu", O_RDWR);
  uint32_t ioas = new_ioas();
  uint32_t rw = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE;
  int file = memfd_create("buffer", 0);
  if (ftruncate(file, 16 * PAGE) == 0) {
    struct iommu_ioas_map_file request = {
        .size = sizeof(request),
        .flags = IOMMU_IOAS_MAP_FIXED_IOVA | rw,
        .ioas_id = ioas,
        .fd = file,
        .start = 4 * PAGE,
        .length = 8 * PAGE,
        .iova = START,
    };
    CALL(iommufd, IOMMU_IOAS_MAP_FILE, &request);
    unmap(ioas, START, 8 * PAGE, 0);
  }
  close(file);
  exit(0);
}
#endif

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  iommufd = open("/dev/iommu", O_RDWR);
  if (iommufd < 0) {
    perror("/dev/iommu");
    return 2;
  }
  char *buffer = memory(4 * SPAN);
  refusals();
  address_spaces(buffer);
  devices(buffer);
  accesses(buffer);
  dirty(buffer);
  nested(buffer);
#ifdef IOMMU_VIOMMU_ALLOC
  virtual();
#endif
  pasids();
  close(iommufd);
#ifdef IOMMU_IOAS_MAP_FILE
  files();
#endif
  printf("%d surprises\n", surprises);
  return 0;
}
