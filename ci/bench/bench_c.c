// SPDX-License-Identifier: GPL-2.0
/*
 * The benchmarks in C: what bench_rust.rs does, as a driver in C does it.
 *
 * For edu, a PCI device that QEMU emulates. All is measured while the driver is being bound.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define SAMPLES 5
#define ENTRIES 256

#define BUFFER 4096

#define TABLES 3

/* So many buffers are parked each time. */
#define PARKED 64

#define LIVENESS 0x04

/* What the NVMe driver does, with commands of this many pages at most, all in one buffer. */
#define PAGES 16
#define OPCODE_READ 0x02
/* Registers of edu that take any value, for the doorbells. */
#define TAIL_DOORBELL 0x04
#define HEAD_DOORBELL 0x08
#define TIMEOUT_MS 10000

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

struct pages {
	unsigned int count;
	struct page *page[ENTRIES];
};

struct submission {
	/* The opcode, and in the upper half the command identifier. */
	__le32 dword0;
	__le32 namespace;
	__le64 reserved;
	__le64 metadata;
	__le64 prp1;
	__le64 prp2;
	__le32 dword10;
	__le32 dword11;
	__le32 dword12;
	__le32 dword13;
	__le32 dword14;
	__le32 dword15;
};

struct completion_entry {
	__le32 result;
	__le32 reserved;
	__le16 submission_head;
	__le16 submission_queue;
	__le16 command;
	/* The status, and in bit 0 the phase. */
	__le16 status;
};

struct command {
	u32 opcode;
	u32 namespace;
	u64 prps[2];
	u32 dwords[3];
	/* More than two pages are in a list. */
	__le64 *list;
	dma_addr_t list_addr;
};

enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_DONE };

struct slot {
	enum slot_state state;
	u16 status;
	u32 result;
};

/* A submission queue with its completion queue. */
struct queue {
	struct submission *submissions;
	dma_addr_t submissions_addr;
	struct completion_entry *completions;
	dma_addr_t completions_addr;
	u32 entries;
	spinlock_t lock;
	/* Where the next command goes. */
	u32 tail;
	/* Where the next completion is expected, and the phase that tells that it is there. */
	u32 head;
	u16 phase;
	/* By command identifier; one less than entries, so that the queue never overflows. */
	struct slot slots[ENTRIES - 1];
	u32 next;
	/* Where the device writes its next completion, and with which phase. */
	u32 device_head;
	u16 device_phase;
};

/* What the device may still write to: unmapped and freed when it can't, at the end. */
struct parked {
	struct llist_node node;
	struct device *dev;
	void *buffer;
	size_t size;
	dma_addr_t addr;
	enum dma_data_direction dir;
};

struct bench {
	struct device *dev;
	void __iomem *regs;
	struct mailbox *mailbox;
	dma_addr_t mailbox_addr;
	struct ring ring;
	void *buffer;
	void *received;
	dma_addr_t received_addr;
	void *copy;
	/* Known only when it runs, as for a packet; else compilers copy in another way. */
	size_t received_size;
	void *spares[PARKED * SAMPLES];
	size_t next_spare;
	struct llist_head parked;
	atomic_long_t parked_count;
	atomic_long_t parked_bytes;
	struct dma_pool *pool;
	struct pages pages[TABLES];
	struct queue queue;
	struct dma_pool *lists;
	void *data;
	dma_addr_t data_addr;
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

/* What was received is copied, and the buffer is the device's again. */
static noinline int receive(struct bench *bench, size_t times)
{
	size_t i;

	for (i = 0; i < times; i++) {
		dma_sync_single_for_cpu(bench->dev, bench->received_addr, BUFFER, DMA_FROM_DEVICE);
		memcpy(bench->copy, bench->received, bench->received_size);
		dma_sync_single_for_device(bench->dev, bench->received_addr, BUFFER,
					   DMA_FROM_DEVICE);
	}
	return 0;
}

static int park_one(struct bench *bench, void *buffer, dma_addr_t addr)
{
	struct parked *parked;

	parked = kmalloc(sizeof(*parked), GFP_ATOMIC | __GFP_NOWARN);
	if (!parked)
		return -ENOMEM;
	parked->dev = bench->dev;
	parked->buffer = buffer;
	parked->size = BUFFER;
	parked->addr = addr;
	parked->dir = DMA_FROM_DEVICE;
	atomic_long_inc(&bench->parked_count);
	atomic_long_add(BUFFER, &bench->parked_bytes);
	llist_add(&parked->node, &bench->parked);
	return 0;
}

/* What the device may still write to is put aside. */
static noinline int park(struct bench *bench, size_t times)
{
	size_t i;

	for (i = 0; i < times; i++) {
		void *buffer = bench->spares[bench->next_spare];
		dma_addr_t addr;
		int ret;

		addr = dma_map_single(bench->dev, buffer, BUFFER, DMA_FROM_DEVICE);
		if (dma_mapping_error(bench->dev, addr))
			return -ENOMEM;
		ret = park_one(bench, buffer, addr);
		if (ret)
			return ret;
		bench->spares[bench->next_spare++] = NULL;
	}
	return 0;
}

static void free_parked(void *data)
{
	struct bench *bench = data;
	struct parked *parked, *next;
	size_t i;

	llist_for_each_entry_safe(parked, next, llist_del_all(&bench->parked), node) {
		dma_unmap_single(parked->dev, parked->addr, parked->size, parked->dir);
		kfree(parked->buffer);
		kfree(parked);
	}
	for (i = 0; i < ARRAY_SIZE(bench->spares); i++)
		kfree(bench->spares[i]);
	if (bench->received_addr)
		dma_unmap_single(bench->dev, bench->received_addr, BUFFER, DMA_FROM_DEVICE);
}

static int make_buffers(struct bench *bench)
{
	dma_addr_t addr;
	size_t i;
	int ret;

	ret = devm_add_action(bench->dev, free_parked, bench);
	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(bench->spares); i++) {
		bench->spares[i] = kzalloc(BUFFER, GFP_KERNEL);
		if (!bench->spares[i])
			return -ENOMEM;
	}
	addr = dma_map_single(bench->dev, bench->received, BUFFER, DMA_FROM_DEVICE);
	if (dma_mapping_error(bench->dev, addr))
		return -ENOMEM;
	bench->received_addr = addr;
	bench->received_size = BUFFER;
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

static noinline int sg(struct bench *bench, size_t which)
{
	struct pages *pages = &bench->pages[which];
	struct scatterlist *sg;
	struct sg_table table;
	size_t round;
	int ret;
	int i;

	/* As many pages for all tables in all. */
	for (round = 0; round < ENTRIES >> (4 * which); round++) {
		size_t size = 0;
		dma_addr_t addrs = 0;

		ret = sg_alloc_table_from_pages_segment(&table, pages->page, pages->count, 0,
							(size_t)pages->count * PAGE_SIZE,
							dma_get_max_seg_size(bench->dev), GFP_KERNEL);
		if (ret)
			return ret;
		ret = dma_map_sgtable(bench->dev, &table, DMA_BIDIRECTIONAL, 0);
		if (ret)
			goto free;
		for_each_sgtable_dma_sg(&table, sg, i) {
			size += sg_dma_len(sg);
			addrs |= sg_dma_address(sg);
		}
		dma_unmap_sgtable(bench->dev, &table, DMA_BIDIRECTIONAL, 0);
		if (size != (size_t)pages->count * PAGE_SIZE || addrs % PAGE_SIZE)
			ret = -EIO;
free:
		sg_free_table(&table);
		if (ret)
			return ret;
	}
	return 0;
}

static int make_pages(struct pages *pages, unsigned int count)
{
	LIST_HEAD(others);
	struct page *page, *next;

	/* No two of them adjacent, so that every time there are as many segments. */
	while (pages->count < count) {
		page = alloc_page(GFP_KERNEL);
		if (!page)
			break;
		if (page_to_pfn(page) & 1)
			list_add(&page->lru, &others);
		else
			pages->page[pages->count++] = page;
	}
	list_for_each_entry_safe(page, next, &others, lru)
		__free_page(page);
	return pages->count == count ? 0 : -ENOMEM;
}

static void free_pages_of(void *data)
{
	struct bench *bench = data;
	int i;

	for (i = 0; i < TABLES; i++)
		while (bench->pages[i].count)
			__free_page(bench->pages[i].page[--bench->pages[i].count]);
}

/* The PRP entries for the first pages of the buffer. */
static int set_prps(struct bench *bench, struct command *command, size_t len)
{
	size_t count = len / PAGE_SIZE;
	size_t i;

	command->prps[0] = bench->data_addr;
	if (count == 1)
		return 0;
	if (count == 2) {
		command->prps[1] = bench->data_addr + PAGE_SIZE;
		return 0;
	}
	command->list = dma_pool_zalloc(bench->lists, GFP_KERNEL, &command->list_addr);
	if (!command->list)
		return -ENOMEM;
	for (i = 1; i < count; i++)
		command->list[i - 1] = cpu_to_le64(bench->data_addr + i * PAGE_SIZE);
	command->prps[1] = command->list_addr;
	return 0;
}

/* The next number, around a queue. */
static u32 after(u32 number, u32 entries)
{
	return number + 1 == entries ? 0 : number + 1;
}

/* Writes a command to the queue; returns its identifier. */
static int submit(struct queue *queue, const struct command *command)
{
	u32 slots = queue->entries - 1;
	int ret = -EBUSY;
	u32 i;

	spin_lock(&queue->lock);
	for (i = 0; i < slots; i++) {
		u32 id = queue->next;
		struct submission entry;

		queue->next = after(id, slots);
		if (queue->slots[id].state != SLOT_FREE)
			continue;
		entry = (struct submission) {
			.dword0 = cpu_to_le32(command->opcode | id << 16),
			.namespace = cpu_to_le32(command->namespace),
			.prp1 = cpu_to_le64(command->prps[0]),
			.prp2 = cpu_to_le64(command->prps[1]),
			.dword10 = cpu_to_le32(command->dwords[0]),
			.dword11 = cpu_to_le32(command->dwords[1]),
			.dword12 = cpu_to_le32(command->dwords[2]),
		};
		memcpy(&queue->submissions[queue->tail], &entry, sizeof(entry));
		queue->tail = after(queue->tail, queue->entries);
		queue->slots[id].state = SLOT_BUSY;
		ret = id;
		break;
	}
	spin_unlock(&queue->lock);
	return ret;
}

/* Tells the device of all commands that are in the queue. */
static void ring(struct bench *bench)
{
	struct queue *queue = &bench->queue;

	spin_lock(&queue->lock);
	writel(queue->tail, bench->regs + TAIL_DOORBELL);
	spin_unlock(&queue->lock);
}

/* The device's part: the next completion. */
static void complete_one(struct queue *queue, u16 id)
{
	struct completion_entry *entry = &queue->completions[queue->device_head];

	WRITE_ONCE(entry->result, cpu_to_le32(0));
	WRITE_ONCE(entry->command, cpu_to_le16(id));
	dma_wmb();
	WRITE_ONCE(entry->status, cpu_to_le16(queue->device_phase));
	queue->device_head = after(queue->device_head, queue->entries);
	if (!queue->device_head)
		queue->device_phase ^= 1;
}

/* Takes all completions that are there. */
static int reap(struct bench *bench, struct queue *queue)
{
	bool any = false;

	for (;;) {
		struct completion_entry *entry = &queue->completions[queue->head];
		u16 status = le16_to_cpu(READ_ONCE(entry->status));
		u32 result;
		u16 id;

		if ((status & 1) != queue->phase)
			break;
		/* The rest of the entry is to be read after the phase. */
		dma_rmb();
		result = le32_to_cpu(READ_ONCE(entry->result));
		id = le16_to_cpu(READ_ONCE(entry->command));

		any = true;
		queue->head = after(queue->head, queue->entries);
		if (!queue->head)
			queue->phase ^= 1;

		if (id >= queue->entries - 1 || queue->slots[id].state != SLOT_BUSY) {
			pr_err("completion of command %u, which is not under way\n", id);
			return -EIO;
		}
		queue->slots[id] = (struct slot) { SLOT_DONE, status >> 1, result };
	}
	if (any)
		writel(queue->head, bench->regs + HEAD_DOORBELL);
	return 0;
}

/* Waits until a command is done. */
static int wait(struct bench *bench, u16 id)
{
	struct queue *queue = &bench->queue;
	ktime_t start = ktime_get();

	for (;;) {
		bool late = ktime_ms_delta(ktime_get(), start) > TIMEOUT_MS;
		struct slot *slot = &queue->slots[id];
		struct slot was;
		int ret;

		spin_lock(&queue->lock);
		ret = reap(bench, queue);
		was = *slot;
		if (!ret && was.state == SLOT_DONE)
			slot->state = SLOT_FREE;
		spin_unlock(&queue->lock);
		if (ret)
			return ret;
		if (was.state == SLOT_DONE) {
			if (was.status & 0x7ff) {
				pr_err("a command failed: %#x\n", was.status);
				return -EIO;
			}
			return 0;
		}
		if (late) {
			pr_err("command %u timed out\n", id);
			return -ETIMEDOUT;
		}
		usleep_range(20, 100);
	}
}

static noinline int nvme(struct bench *bench, size_t len)
{
	size_t i;

	for (i = 0; i < 16; i++) {
		struct command command = {
			.opcode = OPCODE_READ,
			.namespace = 1,
			.dwords = { i, 0, len / 512 - 1 },
		};
		int ret;
		int id;

		ret = set_prps(bench, &command, len);
		if (ret)
			return ret;
		id = submit(&bench->queue, &command);
		if (id < 0) {
			ret = id;
			goto free;
		}
		ring(bench);
		complete_one(&bench->queue, id);
		ret = wait(bench, id);
free:
		if (command.list)
			dma_pool_free(bench->lists, command.list, command.list_addr);
		if (ret)
			return ret;
	}
	return 0;
}

static int make_queue(struct bench *bench)
{
	struct queue *queue = &bench->queue;

	spin_lock_init(&queue->lock);
	queue->entries = ENTRIES;
	queue->phase = 1;
	queue->device_phase = 1;
	queue->submissions = dmam_alloc_coherent(bench->dev, ENTRIES * sizeof(*queue->submissions),
						 &queue->submissions_addr, GFP_KERNEL);
	queue->completions = dmam_alloc_coherent(bench->dev, ENTRIES * sizeof(*queue->completions),
						 &queue->completions_addr, GFP_KERNEL);
	bench->data = dmam_alloc_coherent(bench->dev, PAGES * PAGE_SIZE, &bench->data_addr,
					  GFP_KERNEL);
	bench->lists = dmam_pool_create("lists", bench->dev, PAGES * sizeof(__le64),
					PAGES * sizeof(__le64), 0);
	if (!queue->submissions || !queue->completions || !bench->data || !bench->lists)
		return -ENOMEM;
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
	{ "stream", 1024, stream, 1024 },
	{ "stream-sync", 1024, stream_sync, 1024 },
	{ "receive", 256, receive, 256 },
	{ "park", PARKED, park, PARKED },
	{ "pool", 1024, pool, 1024 },
	{ "sg-1", ENTRIES, sg, 0 },
	{ "sg-16", ENTRIES / 16, sg, 1 },
	{ "sg-256", ENTRIES / 256, sg, 2 },
	{ "nvme-4K", 16, nvme, 4 << 10 },
	{ "nvme-64K", 16, nvme, 64 << 10 },
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
	/* As large as a page, so that they are aligned as such. */
	bench->received = (void *)devm_get_free_pages(&pdev->dev, GFP_KERNEL | __GFP_ZERO, 0);
	bench->copy = (void *)devm_get_free_pages(&pdev->dev, GFP_KERNEL | __GFP_ZERO, 0);
	if (!bench->buffer || !bench->received || !bench->copy || !bench->pool)
		return -ENOMEM;
	ret = make_buffers(bench);
	if (ret)
		return ret;
	ret = devm_add_action(&pdev->dev, free_pages_of, bench);
	if (ret)
		return ret;
	for (i = 0; i < TABLES; i++) {
		ret = make_pages(&bench->pages[i], 1 << 4 * i);
		if (ret)
			return ret;
	}
	ret = make_queue(bench);
	if (ret)
		return ret;
	pci_set_master(pdev);

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
