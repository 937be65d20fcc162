// SPDX-License-Identifier: GPL-2.0
/*
 * The benchmarks in C: what bench_rust.rs does, as a driver in C does it.
 *
 * For edu, a PCI device that QEMU emulates. All is measured while the driver is being bound.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#define SAMPLES 5
#define ENTRIES 256

#define BUFFER 4096

#define LIVENESS 0x04

/* So often without a loop: what compilers make of a loop is not what is to be compared. */
#define TIMES_4(what) do { what; what; what; what; } while (0)
#define TIMES_16(what) do { TIMES_4(TIMES_4(what)); } while (0)

struct descriptor {
	u64 addr;
	u32 len;
	/* Bit 0 is the phase: 1 in the first lap around the ring, 0 in the second, and so on. */
	u32 flags;
};

struct mailbox {
	u32 command;
	u32 status;
	u64 argument;
};

struct ring {
	struct descriptor *descriptors;
	dma_addr_t addr;
	/* Descriptors filled so far. */
	u32 tail;
};

struct bench {
	struct device *dev;
	void __iomem *regs;
	struct mailbox *mailbox;
	dma_addr_t mailbox_addr;
	struct ring ring;
	void *buffer;
	struct dma_pool *pool;
};

static noinline int nothing(struct bench *bench, size_t arg)
{
	return 0;
}

/* Two instructions each time around; tells what the clock counts. */
static noinline int loop(struct bench *bench, size_t times)
{
	asm volatile("1: dec %0; jnz 1b" : "+r" (times) : : "cc");
	return 0;
}

static noinline int alloc(struct bench *bench, size_t size)
{
	dma_addr_t addr;
	void *memory;

	memory = dma_alloc_coherent(bench->dev, size, &addr, GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	dma_free_coherent(bench->dev, size, memory, addr);
	return 0;
}

static noinline int field_read(struct bench *bench, size_t times)
{
	struct mailbox *mailbox = bench->mailbox;
	size_t i;

	for (i = 0; i < times; i++)
		TIMES_16(READ_ONCE(mailbox->status));
	return 0;
}

static noinline int field_write(struct bench *bench, size_t times)
{
	struct mailbox *mailbox = bench->mailbox;
	size_t i;

	for (i = 0; i < times; i++)
		TIMES_16(WRITE_ONCE(mailbox->command, 1));
	return 0;
}

static u32 phase(u32 number)
{
	return ~(number / ENTRIES) & 1;
}

static void push(struct ring *ring, u64 addr, u32 len)
{
	struct descriptor *descriptor = &ring->descriptors[ring->tail % ENTRIES];

	WRITE_ONCE(descriptor->addr, addr);
	WRITE_ONCE(descriptor->len, len);
	dma_wmb();
	WRITE_ONCE(descriptor->flags, phase(ring->tail));
	ring->tail++;
}

static noinline int ring_fill(struct bench *bench, size_t entries)
{
	size_t i;

	for (i = 0; i < entries; i++)
		push(&bench->ring, (u64)i << 12, i);
	return 0;
}

static bool pop(struct ring *ring, u32 *head, u32 *len)
{
	struct descriptor *descriptor = &ring->descriptors[*head % ENTRIES];

	if ((READ_ONCE(descriptor->flags) & 1) != phase(*head))
		return false;
	dma_rmb();
	*len = READ_ONCE(descriptor->len);
	(*head)++;
	return true;
}

/* What was filled in last. */
static noinline int ring_drain(struct bench *bench, size_t entries)
{
	u32 head = bench->ring.tail - ENTRIES;
	u32 sum = 0;
	u32 len;

	while (pop(&bench->ring, &head, &len))
		sum += len;
	return sum == entries * (entries - 1) / 2 ? 0 : -EIO;
}

static noinline int register_read(struct bench *bench, size_t times)
{
	void __iomem *regs = bench->regs;
	size_t i;

	for (i = 0; i < times; i++)
		TIMES_16(readl(regs + LIVENESS));
	return 0;
}

static noinline int register_write(struct bench *bench, size_t times)
{
	void __iomem *regs = bench->regs;
	size_t i;

	for (i = 0; i < times; i++)
		TIMES_16(writel(1, regs + LIVENESS));
	return 0;
}

static noinline int stream(struct bench *bench, size_t times)
{
	size_t i;

	for (i = 0; i < times; i++) {
		dma_addr_t addr;

		addr = dma_map_single(bench->dev, bench->buffer, BUFFER, DMA_BIDIRECTIONAL);
		if (dma_mapping_error(bench->dev, addr))
			return -ENOMEM;
		dma_unmap_single(bench->dev, addr, BUFFER, DMA_BIDIRECTIONAL);
	}
	return 0;
}

static noinline int stream_sync(struct bench *bench, size_t times)
{
	dma_addr_t addr;
	size_t i;

	addr = dma_map_single(bench->dev, bench->buffer, BUFFER, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(bench->dev, addr))
		return -ENOMEM;
	for (i = 0; i < times; i++) {
		dma_sync_single_for_cpu(bench->dev, addr, BUFFER, DMA_BIDIRECTIONAL);
		dma_sync_single_for_device(bench->dev, addr, BUFFER, DMA_BIDIRECTIONAL);
	}
	dma_unmap_single(bench->dev, addr, BUFFER, DMA_BIDIRECTIONAL);
	return 0;
}

static noinline int pool(struct bench *bench, size_t times)
{
	size_t i;

	for (i = 0; i < times; i++) {
		dma_addr_t addr;
		void *object;

		object = dma_pool_zalloc(bench->pool, GFP_KERNEL, &addr);
		if (!object)
			return -ENOMEM;
		dma_pool_free(bench->pool, object, addr);
	}
	return 0;
}

static const struct row {
	const char *name;
	size_t count;
	int (*run)(struct bench *bench, size_t arg);
	size_t arg;
} rows[] = {
	{ "nothing", 1, nothing, 0 },
	{ "loop-1000", 1000, loop, 1000 },
	{ "loop-3000", 3000, loop, 3000 },
	{ "alloc-64", 1, alloc, 64 },
	{ "alloc-4K", 1, alloc, 4 << 10 },
	{ "alloc-64K", 1, alloc, 64 << 10 },
	{ "alloc-1M", 1, alloc, 1 << 20 },
	{ "alloc-4M", 1, alloc, 4 << 20 },
	{ "field-read", 256, field_read, 16 },
	{ "field-write", 256, field_write, 16 },
	{ "ring-fill", ENTRIES, ring_fill, ENTRIES },
	{ "ring-drain", ENTRIES, ring_drain, ENTRIES },
	{ "register-read", 256, register_read, 16 },
	{ "register-write", 256, register_write, 16 },
	{ "stream", 16, stream, 16 },
	{ "stream-sync", 1024, stream_sync, 1024 },
	{ "pool", 16, pool, 16 },
};

static int measure(struct bench *bench, const struct row *row)
{
	s64 least = S64_MAX;
	int i;

	for (i = 0; i < SAMPLES; i++) {
		ktime_t begin, end;
		int ret;

		begin = ktime_get();
		ret = row->run(bench, row->arg);
		end = ktime_get();
		if (ret)
			return ret;
		least = min(least, ktime_to_ns(ktime_sub(end, begin)));
	}
	pr_info("%s %zu %lld\n", row->name, row->count, least);
	return 0;
}

static int bench_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct bench *bench;
	int ret;
	int i;

	bench = devm_kzalloc(&pdev->dev, sizeof(*bench), GFP_KERNEL);
	if (!bench)
		return -ENOMEM;
	bench->dev = &pdev->dev;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (ret)
		return ret;
	bench->regs = pcim_iomap_table(pdev)[0];
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	bench->mailbox = dmam_alloc_coherent(&pdev->dev, sizeof(*bench->mailbox),
					    &bench->mailbox_addr, GFP_KERNEL);
	bench->ring.descriptors =
		dmam_alloc_coherent(&pdev->dev, ENTRIES * sizeof(*bench->ring.descriptors),
				    &bench->ring.addr, GFP_KERNEL);
	if (!bench->mailbox || !bench->ring.descriptors)
		return -ENOMEM;

	bench->buffer = devm_kmalloc(&pdev->dev, BUFFER, GFP_KERNEL);
	bench->pool = dmam_pool_create(KBUILD_MODNAME, &pdev->dev, 64, 64, 0);
	if (!bench->buffer || !bench->pool)
		return -ENOMEM;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ret = measure(bench, &rows[i]);
		if (ret) {
			pr_err("%s failed: %d\n", rows[i].name, ret);
			return ret;
		}
	}
	return 0;
}

static const struct pci_device_id bench_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, bench_ids);

static struct pci_driver bench_driver = {
	.name = KBUILD_MODNAME,
	.id_table = bench_ids,
	.probe = bench_probe,
};
module_pci_driver(bench_driver);

MODULE_DESCRIPTION("Benchmarks of the DMA API in C, for QEMU's edu device");
MODULE_LICENSE("GPL");
