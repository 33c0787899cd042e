// The requests of IOMMUFD and its mock driver as functions.
#pragma once

#include <linux/iommufd.h>

#include "call.h"
#include "iommufd_test.h"

#define PAGE 4096ul
#define SPAN (64 * PAGE)
#define START 0x2000000ull
#define TEST(fd, command) call(fd, "IOMMU_TEST_CMD " #command, IOMMU_TEST_CMD, &command, 0)
#define TEST_REFUSED(fd, command, expected) \
  call(fd, "IOMMU_TEST_CMD " #command, IOMMU_TEST_CMD, &command, expected)
#define COMMAND(name, number, object) struct iommu_test_cmd name = {.size = sizeof(name), .op = number, .id = object}

static int iommufd;

static void destroy(uint32_t id, int expected) {
  struct iommu_destroy request = {.size = sizeof(request), .id = id};
  REFUSED(iommufd, IOMMU_DESTROY, &request, expected);
}

static uint32_t new_ioas(void) {
  struct iommu_ioas_alloc request = {.size = sizeof(request)};
  CALL(iommufd, IOMMU_IOAS_ALLOC, &request);
  return request.out_ioas_id;
}

static void map_at(uint32_t ioas, void *at, uint64_t iova, uint64_t length, uint32_t flags, int expected) {
  struct iommu_ioas_map request = {
      .size = sizeof(request),
      .flags = IOMMU_IOAS_MAP_FIXED_IOVA | flags,
      .ioas_id = ioas,
      .user_va = (uintptr_t)at,
      .length = length,
      .iova = iova,
  };
  REFUSED(iommufd, IOMMU_IOAS_MAP, &request, expected);
}

static uint64_t map_anywhere(uint32_t ioas, void *at, uint64_t length) {
  struct iommu_ioas_map request = {
      .size = sizeof(request),
      .flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
      .ioas_id = ioas,
      .user_va = (uintptr_t)at,
      .length = length,
  };
  CALL(iommufd, IOMMU_IOAS_MAP, &request);
  return request.iova;
}

static void unmap(uint32_t ioas, uint64_t iova, uint64_t length, int expected) {
  struct iommu_ioas_unmap request = {.size = sizeof(request), .ioas_id = ioas, .iova = iova, .length = length};
  REFUSED(iommufd, IOMMU_IOAS_UNMAP, &request, expected);
}

static void ranges(uint32_t ioas) {
  struct iommu_iova_range found[8] = {0};
  struct iommu_ioas_iova_ranges request = {
      .size = sizeof(request), .ioas_id = ioas, .num_iovas = 8, .allowed_iovas = (uintptr_t)found};
  CALL(iommufd, IOMMU_IOAS_IOVA_RANGES, &request);
  request.num_iovas = 0;
  request.allowed_iovas = 0;
  REFUSED(iommufd, IOMMU_IOAS_IOVA_RANGES, &request, EMSGSIZE);
}

static void allow(uint32_t ioas, uint64_t start, uint64_t last) {
  struct iommu_iova_range range = {.start = start, .last = last};
  struct iommu_ioas_allow_iovas request = {
      .size = sizeof(request), .ioas_id = ioas, .num_iovas = 1, .allowed_iovas = (uintptr_t)&range};
  CALL(iommufd, IOMMU_IOAS_ALLOW_IOVAS, &request);
}

static void option(uint32_t id, uint32_t object, uint16_t op, uint64_t value, int expected) {
  struct iommu_option request = {
      .size = sizeof(request), .option_id = id, .op = op, .object_id = object, .val64 = value};
  REFUSED(iommufd, IOMMU_OPTION, &request, expected);
}

struct device {
  uint32_t stdev;
  uint32_t idev;
  uint32_t hwpt;
};

static struct device new_device(uint32_t pt) {
  COMMAND(mock_domain, IOMMU_TEST_OP_MOCK_DOMAIN, pt);
  TEST(iommufd, mock_domain);
  return (struct device){
      mock_domain.mock_domain.out_stdev_id, mock_domain.mock_domain.out_idev_id, mock_domain.mock_domain.out_hwpt_id};
}

static struct device new_pasid_device(uint32_t pt) {
  COMMAND(mock_domain_flags, IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, pt);
  mock_domain_flags.mock_domain_flags.dev_flags = MOCK_FLAGS_DEVICE_PASID;
  TEST(iommufd, mock_domain_flags);
  return (struct device){mock_domain_flags.mock_domain_flags.out_stdev_id,
                         mock_domain_flags.mock_domain_flags.out_idev_id,
                         mock_domain_flags.mock_domain_flags.out_hwpt_id};
}

static void replace(uint32_t stdev, uint32_t pt, int expected) {
  COMMAND(mock_domain_replace, IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, stdev);
  mock_domain_replace.mock_domain_replace.pt_id = pt;
  TEST_REFUSED(iommufd, mock_domain_replace, expected);
}

struct allocation {
  uint32_t device;
  uint32_t pt;
  uint32_t flags;
  uint32_t type;
  void *data;
  uint32_t length;
  uint32_t fault;
};

static uint32_t new_hwpt(struct allocation of, int expected) {
  struct iommu_hwpt_alloc request = {
      .size = sizeof(request),
      .flags = of.flags,
      .dev_id = of.device,
      .pt_id = of.pt,
      .data_type = of.type,
      .data_len = of.length,
      .data_uptr = (uintptr_t)of.data,
      .fault_id = of.fault,
  };
  REFUSED(iommufd, IOMMU_HWPT_ALLOC, &request, expected);
  return request.out_hwpt_id;
}

static uint32_t new_nested(uint32_t device, uint32_t parent, uint32_t fault, uint32_t iotlb) {
  struct iommu_hwpt_selftest data = {.iotlb = iotlb};
  uint32_t flags = fault ? IOMMU_HWPT_FAULT_ID_VALID : 0;
  return new_hwpt((struct allocation){device, parent, flags, IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), fault}, 0);
}
