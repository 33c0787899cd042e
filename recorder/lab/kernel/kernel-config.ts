/**
 * What a kernel for recording calls is made of, on top of `allnoconfig`: enough to boot in QEMU, to run Node and bpftrace, and
 * IOMMUFD with its mock driver. Nothing is a module. Names that a kernel doesn't know it ignores.
 */
const PARTS: { readonly [part: string]: string } = {
  // The frame pointer: the other unwinder's tool takes as long to build as some drivers do.
  machine: `64BIT EXPERT SMP PRINTK PRINTK_TIME BUG KALLSYMS HIGH_RES_TIMERS NO_HZ_IDLE UNWINDER_FRAME_POINTER
    ACPI PCI PCI_MSI PCI_MMCONFIG TTY SERIAL_8250 SERIAL_8250_CONSOLE`,
  'result disk': 'BLOCK BLK_DEV VIRTIO_MENU VIRTIO_PCI VIRTIO_BLK',
  programs: `BLK_DEV_INITRD RD_GZIP BINFMT_ELF BINFMT_SCRIPT MULTIUSER NET UNIX DEVTMPFS PROC_FS SYSCTL PROC_SYSCTL SYSFS
    TMPFS SHMEM MEMFD_CREATE HUGETLBFS TRANSPARENT_HUGEPAGE FUTEX EPOLL SIGNALFD TIMERFD EVENTFD AIO POSIX_TIMERS
    ADVISE_SYSCALLS MEMBARRIER RSEQ FILE_LOCKING INOTIFY_USER`,
  'what is recorded': `IOMMU_SUPPORT INTEL_IOMMU IRQ_REMAP GENERIC_PT IOMMU_PT IOMMU_PT_AMDV1 IOMMUFD DEBUG_KERNEL DEBUG_FS
    FAULT_INJECTION RUNTIME_TESTING_MENU IOMMUFD_TEST VFIO VFIO_GROUP VFIO_CONTAINER VFIO_DEVICE_CDEV VFIO_PCI`,
  'what records it': `NAMESPACES PID_NS FTRACE FTRACE_SYSCALLS KPROBES KPROBE_EVENTS UPROBE_EVENTS PERF_EVENTS
    BPF_SYSCALL BPF_JIT BPF_EVENTS`,
};

/** Without these it records nothing: a source that lacks them is refused before it is built. */
const INDISPENSABLE = ['IOMMUFD', 'IOMMUFD_TEST', 'VFIO_DEVICE_CDEV', 'FTRACE_SYSCALLS', 'BPF_EVENTS'];

/** Text for `KCONFIG_ALLCONFIG`. */
export function kernelConfig(): string {
  return Object.entries(PARTS)
    .map(([part, names]) => `# ${part}\n${names.replaceAll(/(\w+)\s*/g, 'CONFIG_$1=y\n')}`)
    .join('');
}

/** Options that a finished `.config` lacks. */
export function missingOptions(config: string): readonly string[] {
  const lines = new Set(config.split('\n'));
  return INDISPENSABLE.filter((name) => !lines.has(`CONFIG_${name}=y`)).map((name) => `CONFIG_${name}`);
}
