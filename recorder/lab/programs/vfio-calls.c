// Drives a device through VFIO: vfio-calls legacy GROUP ADDRESS (both versions of type 1), vfio-calls cdev PATH.
#include <fcntl.h>
#include <linux/vfio.h>
#ifdef VFIO_DEVICE_BIND_IOMMUFD
#include <linux/iommufd.h>
#endif

#include "call.h"

#define PAGE 4096ul
#define SPAN (64 * PAGE)
#define START 0x10000000ull

static int opened(const char *path) {
  int fd = open(path, O_RDWR);
  if (fd >= 0) return fd;
  perror(path);
  exit(2);
}

static void map_at(int container, void *at, uint64_t iova, uint64_t size, uint32_t flags, int expected) {
  struct vfio_iommu_type1_dma_map request = {
      .argsz = sizeof(request), .flags = flags, .vaddr = (uintptr_t)at, .iova = iova, .size = size};
  REFUSED(container, VFIO_IOMMU_MAP_DMA, &request, expected);
}

static void unmap(int container, uint64_t iova, uint64_t size, uint32_t flags, int expected) {
  struct vfio_iommu_type1_dma_unmap request = {.argsz = sizeof(request), .flags = flags, .iova = iova, .size = size};
  REFUSED(container, VFIO_IOMMU_UNMAP_DMA, &request, expected);
}

static void capabilities(int container) {
  union {
    struct vfio_iommu_type1_info info;
    char bytes[512];
  } answer = {.info = {.argsz = sizeof(struct vfio_iommu_type1_info)}};
  CALL(container, VFIO_IOMMU_GET_INFO, &answer);
  answer.info.argsz = sizeof(answer);
  CALL(container, VFIO_IOMMU_GET_INFO, &answer);
}

static void look_at(int device) {
  struct vfio_device_info info = {.argsz = sizeof(info)};
  CALL(device, VFIO_DEVICE_GET_INFO, &info);
  for (uint32_t index = 0; index < info.num_regions && index < 9; index++) {
    struct vfio_region_info region = {.argsz = sizeof(region), .index = index};
    errno = 0;
    ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region);
  }
  for (uint32_t index = 0; index < info.num_irqs && index < 5; index++) {
    struct vfio_irq_info irq = {.argsz = sizeof(irq), .index = index};
    errno = 0;
    ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, &irq);
  }
}

// Bit maps of what a device may have written: all that is pinned, as the IOMMU here does not tell.
static void dirty(int container) {
  struct vfio_iommu_type1_dirty_bitmap start = {
      .argsz = sizeof(start), .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START};
  CALL(container, VFIO_IOMMU_DIRTY_PAGES, &start);
  struct {
    struct vfio_iommu_type1_dirty_bitmap request;
    struct vfio_iommu_type1_dirty_bitmap_get get;
  } get = {
      .request = {.argsz = sizeof(get), .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP},
      .get = {.iova = START, .size = SPAN, .bitmap = {.pgsize = PAGE, .size = 8, .data = memory(PAGE)}},
  };
  memset(get.get.bitmap.data, 0, PAGE);
  CALL(container, VFIO_IOMMU_DIRTY_PAGES, &get);
  struct vfio_iommu_type1_dirty_bitmap stop = {.argsz = sizeof(stop), .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP};
  CALL(container, VFIO_IOMMU_DIRTY_PAGES, &stop);
}

static void legacy(const char *group_path, const char *address, int version) {
  char *buffer = memory(2 * SPAN);
  int container = opened("/dev/vfio/vfio");
  CALL(container, VFIO_GET_API_VERSION, NULL);
  for (int extension = VFIO_TYPE1_IOMMU; extension <= 10; extension++) {
    errno = 0;
    ioctl(container, VFIO_CHECK_EXTENSION, extension);
  }
  int group = opened(group_path);
  struct vfio_group_status status = {.argsz = sizeof(status)};
  CALL(group, VFIO_GROUP_GET_STATUS, &status);
  CALL(group, VFIO_GROUP_SET_CONTAINER, &container);
  CALL(container, VFIO_SET_IOMMU, (void *)(uintptr_t)version);
  CALL(group, VFIO_GROUP_GET_STATUS, &status);
  capabilities(container);
  uint32_t rw = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
  map_at(container, buffer, START, SPAN, rw, 0);
  map_at(container, buffer, START + PAGE, PAGE, rw, EEXIST);
  map_at(container, buffer, START + SPAN, 0, rw, EINVAL);
  map_at(container, buffer, START + SPAN + 1, PAGE, rw, EINVAL);
  map_at(container, buffer + SPAN, START + SPAN, SPAN, VFIO_DMA_MAP_FLAG_READ, 0);
  int device = call(group, "VFIO_GROUP_GET_DEVICE_FD", VFIO_GROUP_GET_DEVICE_FD, (void *)address, 0);
  look_at(device);
  if (version == VFIO_TYPE1v2_IOMMU) {
    dirty(container);
    unmap(container, START + PAGE, PAGE, 0, EINVAL);
  }
  unmap(container, START + SPAN, SPAN, 0, 0);
  unmap(container, START + SPAN, SPAN, 0, 0);
  for (uint64_t page = 0; page < 16; page++) {
    map_at(container, buffer + page * PAGE, 0x20000000 + 2 * page * PAGE, PAGE, rw, 0);
  }
  for (uint64_t page = 0; page < 16; page += 2) unmap(container, 0x20000000 + 2 * page * PAGE, PAGE, 0, 0);
#ifdef VFIO_DMA_UNMAP_FLAG_ALL
  if (version == VFIO_TYPE1v2_IOMMU) unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, 0);
#endif
  close(device);
  CALL(group, VFIO_GROUP_UNSET_CONTAINER, NULL);
  close(group);
  close(container);
}

#ifdef VFIO_DEVICE_BIND_IOMMUFD
static void cdev(const char *path) {
  char *buffer = memory(2 * SPAN);
  int device = opened(path);
  int iommufd = opened("/dev/iommu");
  struct vfio_device_bind_iommufd bind = {.argsz = sizeof(bind), .iommufd = iommufd};
  CALL(device, VFIO_DEVICE_BIND_IOMMUFD, &bind);
  look_at(device);
  struct iommu_ioas_alloc ioas = {.size = sizeof(ioas)};
  CALL(iommufd, IOMMU_IOAS_ALLOC, &ioas);
  char *data = memory(PAGE);
  struct iommu_hw_info hardware = {
      .size = sizeof(hardware), .dev_id = bind.out_devid, .data_len = 64, .data_uptr = (uintptr_t)data};
  CALL(iommufd, IOMMU_GET_HW_INFO, &hardware);
  struct vfio_device_attach_iommufd_pt attach = {.argsz = sizeof(attach), .pt_id = ioas.out_ioas_id};
  CALL(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
  struct iommu_iova_range found[16] = {0};
  struct iommu_ioas_iova_ranges ranges = {
      .size = sizeof(ranges), .ioas_id = ioas.out_ioas_id, .num_iovas = 16, .allowed_iovas = (uintptr_t)found};
  CALL(iommufd, IOMMU_IOAS_IOVA_RANGES, &ranges);
  struct iommu_ioas_map map = {
      .size = sizeof(map),
      .flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
      .ioas_id = ioas.out_ioas_id,
      .user_va = (uintptr_t)buffer,
      .length = SPAN,
      .iova = START,
  };
  CALL(iommufd, IOMMU_IOAS_MAP, &map);
  REFUSED(iommufd, IOMMU_IOAS_MAP, &map, EEXIST);
  struct iommu_hwpt_alloc hwpt = {.size = sizeof(hwpt), .dev_id = bind.out_devid, .pt_id = ioas.out_ioas_id};
  CALL(iommufd, IOMMU_HWPT_ALLOC, &hwpt);
  attach.pt_id = hwpt.out_hwpt_id;
  CALL(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
  struct iommu_ioas_unmap unmap = {
      .size = sizeof(unmap), .ioas_id = ioas.out_ioas_id, .iova = START, .length = SPAN};
  CALL(iommufd, IOMMU_IOAS_UNMAP, &unmap);
  struct vfio_device_detach_iommufd_pt detach = {.argsz = sizeof(detach)};
  CALL(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
  struct iommu_destroy destroy = {.size = sizeof(destroy), .id = hwpt.out_hwpt_id};
  CALL(iommufd, IOMMU_DESTROY, &destroy);
  destroy.id = ioas.out_ioas_id;
  CALL(iommufd, IOMMU_DESTROY, &destroy);
  destroy.id = bind.out_devid;
  REFUSED(iommufd, IOMMU_DESTROY, &destroy, EBUSY);
  close(device);
  close(iommufd);
}
#endif

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count == 4 && strcmp(arguments[1], "legacy") == 0) {
    legacy(arguments[2], arguments[3], VFIO_TYPE1v2_IOMMU);
    legacy(arguments[2], arguments[3], VFIO_TYPE1_IOMMU);
#ifdef VFIO_DEVICE_BIND_IOMMUFD
  } else if (count == 3 && strcmp(arguments[1], "cdev") == 0) {
    cdev(arguments[2]);
#endif
  } else {
    fprintf(stderr, "vfio-calls legacy GROUP ADDRESS, or cdev PATH\n");
    return 2;
  }
  printf("%d surprises\n", surprises);
  return 0;
}
