// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in the guest: starts another kernel, and looks at what devices did to memory.
 *
 *	power start KERNEL INITRAMFS PARAMETERS DEVICE
 *	power look
 *
 * edu_under_way.rs says what is in memory. The pages that it has are found by that, and the next
 * kernel is told to leave them alone: memmap=4K$ADDRESS. DEVICE is an edu without a driver, such as
 * 0000:00:05.0. Nobody keeps it from memory: it stores to a page as the drivers have one, and when
 * that is done, the page is filled again, until no processor does so any more. So what is seen of it
 * by the next kernel was stored after all devices were shut down; and so would be seen what others
 * store then.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define WORDS (PAGE / 8)
#define HALF (WORDS / 2)
typedef unsigned long long u64;

#define KEPT 0x9a6eULL
#define STORED 0xde71ULL
/* 1 and 2 are drivers. */
#define NOBODY 3
#define IDS 4

/* Of a page: of which device its first words, or those of its upper half, are. */
static unsigned int id_of(const volatile u64 *words, u64 kind)
{
	unsigned int id = words[0] >> 32 & 0xffff;

	if (words[0] >> 48 != kind || (uint32_t)words[0] || words[1] != words[0] + 1)
		return 0;
	return id < IDS ? id : 0;
}

static unsigned int same(const volatile u64 *words)
{
	unsigned int number = 0;

	while (number < WORDS && words[number] == words[0] + number)
		number++;
	return number;
}

/* Calls `each` with all pages of memory, those that are reserved as well. */
static u64 for_all_memory(void (*each)(u64 address, const volatile u64 *words))
{
	FILE *map = fopen("/proc/iomem", "r");
	int memory = open("/dev/mem", O_RDONLY);
	u64 first, last, at, pages = 0;
	char line[200];
	volatile char *place;

	if (!map || memory < 0)
		err(1, "memory");
	while (fgets(line, sizeof(line), map)) {
		if (line[0] == ' ' || sscanf(line, "%llx-%llx", &first, &last) != 2 ||
		    !(strstr(line, "System RAM") || strstr(line, "Reserved")) || last >> 30)
			continue;
		/* Parts of pages at either end are no place for one of ours. */
		first = (first + PAGE - 1) & -PAGE;
		last = (last + 1) & -PAGE;
		if (first >= last)
			continue;
		place = mmap(NULL, last - first, PROT_READ, MAP_SHARED, memory, first);
		if (place == MAP_FAILED)
			err(1, "memory from %llx to %llx", first, last);
		for (at = first; at < last; at += PAGE, pages++)
			each(at, (const volatile u64 *)(place + (at - first)));
		munmap((void *)place, last - first);
	}
	fclose(map);
	close(memory);
	return pages;
}

static void say(u64 address, const volatile u64 *words)
{
	unsigned int id = id_of(words, KEPT);

	if (id)
		printf("page %u at %#llx: %u of %u words kept\n", id, address, same(words),
		       WORDS);
	id = id_of(words + HALF, STORED);
	if (id)
		printf("device %u has stored at %#llx\n", id, address);
}

static u64 places[IDS];

static void find(u64 address, const volatile u64 *words)
{
	unsigned int id = id_of(words, KEPT);

	/* Other pages may have been one of these before; the device has the last that was filled. */
	if (!id || same(words) != WORDS)
		return;
	if (places[id])
		errx(1, "page %u is at %#llx and at %#llx", id, places[id], address);
	places[id] = address;
}

static void fill(volatile u64 *page, unsigned int words, u64 kind)
{
	for (unsigned int number = 0; number < words; number++)
		page[number] = kind << 48 | (u64)NOBODY << 32 | number;
}

static volatile uint32_t *registers(const char *device)
{
	char path[100];
	volatile uint32_t *regs;
	int file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", device);
	file = open(path, O_RDWR | O_SYNC);
	regs = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (file < 0 || regs == MAP_FAILED)
		err(1, "%s", path);
	return regs;
}

/* Registers of edu, by their numbers. */
static void begin(volatile uint32_t *regs, uint32_t from, uint32_t to, uint32_t command)
{
	regs[0x80 / 4] = from;
	regs[0x88 / 4] = to;
	regs[0x90 / 4] = PAGE / 2;
	regs[0x98 / 4] = 1 | command;
}

static void wait_for(volatile uint32_t *regs)
{
	while (regs[0x98 / 4] & 1)
		usleep(1000);
}

static void start(char **words)
{
	volatile u64 *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	volatile uint32_t *regs = registers(words[3]);
	int kernel = open(words[0], O_RDONLY), initramfs = open(words[1], O_RDONLY), id;
	char parameters[1000];
	cpu_set_t processors;

	if (page == MAP_FAILED || kernel < 0 || initramfs < 0)
		err(1, "start");
	fill(page, WORDS, KEPT);
	for_all_memory(find);
	snprintf(parameters, sizeof(parameters), "%s", words[2]);
	for (id = 1; id < IDS; id++) {
		size_t used = strlen(parameters);

		if (!places[id])
			errx(1, "page %d is not found", id);
		snprintf(parameters + used, sizeof(parameters) - used, " memmap=4K$%#llx",
			 places[id]);
	}
	fill(page, HALF, STORED);
	begin(regs, places[NOBODY], 0x40000, 0);
	wait_for(regs);
	fill(page, WORDS, KEPT);

	if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(parameters) + 1, parameters, 0))
		err(1, "kexec_file_load");
	printf("parameters: %s\n", parameters);
	fflush(stdout);

	/* Beside what is shut down, on another processor. */
	if (!fork()) {
		CPU_ZERO(&processors);
		CPU_SET(1, &processors);
		if (sched_setaffinity(0, sizeof(processors), &processors))
			err(1, "processor 1");
		for (;;) {
			fill(page, WORDS, KEPT);
			begin(regs, 0x40000, places[NOBODY] + PAGE / 2, 2);
			wait_for(regs);
		}
	}
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "kexec");
}

int main(int count, char **words)
{
	if (count == 6 && !strcmp(words[1], "start"))
		start(words + 2);
	else if (count == 2 && !strcmp(words[1], "look"))
		printf("looked at %llu pages\n", for_all_memory(say));
	else
		errx(1, "see power.c");
	return 0;
}
