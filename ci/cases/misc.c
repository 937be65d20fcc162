// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in the guest: what user space does with the file of misc_cases.ko.
 *
 *	misc cases FILE DRIVER DEVICE
 *	misc race TIMES DRIVER DEVICE
 *
 * DRIVER is the directory of the driver, where DEVICE is unbound and bound. Says "ok NAME", or "not ok
 * NAME" and why. FILE is what the device has to begin with; when it is bound again, it is called by the
 * next number that is free, which is found by looking.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 4
#define DROPPABLE 0x100
#define NOTHING 0x200

struct copy {
	uint32_t from, to, len;
};

#define COPY _IOW('e', 0, uint32_t[3])
#define ADD _IOWR('e', 1, unsigned char[8])
#define SLOW _IO('e', 2)
#define DROP _IO('e', 3)
#define KEPT _IOR('e', 4, uint32_t)

static const char *driver, *device;

/* Of one case. */
static char why[200];

static void wrong(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (!why[0])
		vsnprintf(why, sizeof(why), format, list);
	va_end(list);
}

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition))                                              \
			wrong("line %d: %s (errno %d)", __LINE__, #condition,  \
			      errno);                                          \
	} while (0)

/* The call fails with this error. */
#define FAILS(call, error)                                                     \
	do {                                                                   \
		errno = 0;                                                     \
		if ((long)(call) != -1 || errno != (error))                    \
			wrong("line %d: %s: errno %d", __LINE__, #call, errno);\
	} while (0)

static void verdict(const char *name)
{
	if (why[0])
		printf("not ok %s: %s\n", name, why);
	else
		printf("ok %s\n", name);
	fflush(stdout);
	why[0] = 0;
}

static sigjmp_buf back;
static volatile sig_atomic_t trying;

static void on_signal(int number)
{
	if (!trying)
		_exit(100 + number);
	siglongjmp(back, number);
}

/* Reads and writes a byte: the signal that this raises, or 0. */
static int touch(volatile unsigned char *place)
{
	int number = sigsetjmp(back, 1);

	if (!number) {
		trying = 1;
		*place = *place;
	}
	trying = 0;
	return number;
}

static int look(volatile unsigned char *place)
{
	int number = sigsetjmp(back, 1);

	if (!number) {
		trying = 1;
		(void)*place;
	}
	trying = 0;
	return number;
}

static void *map(int file, size_t pages, size_t at)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    file, at * PAGE);
}

static void tell(const char *what)
{
	char path[200];
	int file;

	snprintf(path, sizeof(path), "%s/%s", driver, what);
	file = open(path, O_WRONLY);
	if (file < 0 || write(file, device, strlen(device)) < 0)
		wrong("%s: errno %d", what, errno);
	close(file);
}

/* Opens the file of the device, which is the only one. */
static int open_any(void)
{
	glob_t found;
	int file = -1;

	if (!glob("/dev/edu-*", 0, NULL, &found))
		file = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	globfree(&found);
	return file;
}

static int copy(int file, uint32_t from, uint32_t to, uint32_t len)
{
	struct copy copy = { from, to, len };

	return ioctl(file, COPY, &copy);
}

static void calls(int file)
{
	unsigned char bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	CHECK(ioctl(file, ADD, bytes) == 7);
	CHECK(bytes[0] == 2 && bytes[7] == 9);
	/* When it fails, nothing is copied back. */
	bytes[3] = 255;
	FAILS(ioctl(file, ADD, bytes), ERANGE);
	CHECK(bytes[0] == 2 && bytes[7] == 9);
	FAILS(ioctl(file, ADD, NULL), EFAULT);
	FAILS(ioctl(file, COPY, (void *)-4096L), EFAULT);
	FAILS(ioctl(file, _IO('e', 9)), ENOTTY);
	FAILS(ioctl(file, _IOR('e', 9, int), bytes), ENOTTY);
	FAILS(read(file, bytes, 1), EINVAL);
	verdict("calls");
}

static void moves(int file)
{
	unsigned char *memory = map(file, PAGES, 0);
	unsigned char *second = map(file, 2, 1);
	int i;

	if (memory == MAP_FAILED || second == MAP_FAILED) {
		wrong("errno %d", errno);
		goto out;
	}
	/* It was cleared. */
	for (i = 0; i < PAGES * PAGE; i++)
		CHECK(!memory[i]);
	for (i = 0; i < 1000; i++)
		memory[100 + i] = i * 7 + 1;
	CHECK(!copy(file, 100, 2 * PAGE + 4, 1000));
	for (i = 0; i < 1000; i++)
		CHECK(memory[2 * PAGE + 4 + i] == (unsigned char)(i * 7 + 1));
	CHECK(!memory[2 * PAGE + 3] && !memory[2 * PAGE + 1004]);
	/* The same pages, from the second on. */
	CHECK(!memcmp(second + PAGE, memory + 2 * PAGE, PAGE));
	second[0] = 0x5a;
	CHECK(memory[PAGE] == 0x5a);
	FAILS(copy(file, PAGES * PAGE - 10, 0, 20), EINVAL);
out:
	munmap(second, 2 * PAGE);
	munmap(memory, PAGES * PAGE);
	verdict("the device moves what was mapped");
}

static void areas(int file, const char *name)
{
	unsigned char *memory;
	int reader;

	FAILS(map(file, PAGES + 1, 0), EINVAL);
	FAILS(map(file, PAGES, 1), EINVAL);
	FAILS(map(file, 1, PAGES), EINVAL);
	FAILS(map(file, 1, DROPPABLE - 1), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0),
	      EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0), EINVAL);
	verdict("areas that can't be mapped");

	memory = map(file, 1, NOTHING);
	CHECK(memory != MAP_FAILED && touch(memory) == SIGBUS);
	munmap(memory, PAGE);
	verdict("an area where nothing was mapped");

	reader = open(name, O_RDONLY);
	FAILS(map(reader, 1, 0), EACCES);
	memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
	CHECK(memory != MAP_FAILED && !look(memory));
	FAILS(mprotect(memory, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK(touch(memory) == SIGSEGV);
	munmap(memory, PAGE);
	close(reader);
	verdict("a file that was opened for reading");

	memory = map(file, 2, 0);
	CHECK(memory != MAP_FAILED);
	FAILS(mremap(memory, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE), EFAULT);
	munmap(memory, 2 * PAGE);
	verdict("an area does not grow");
}

/* As far as the kernel has a test of it. */
static void sleep_and_wake(void)
{
	int test = open("/sys/power/pm_test", O_WRONLY);
	int state = open("/sys/power/state", O_WRONLY);

	if (test >= 0) {
		CHECK(write(test, "platform", 8) == 8);
		CHECK(write(state, "freeze", 6) == 6);
		CHECK(write(test, "none", 4) == 4);
	}
	close(test);
	close(state);
}

static void dropped(int file)
{
	unsigned char *memory = map(file, 1, DROPPABLE), *other;
	unsigned char bytes[8] = { 0 };
	uint32_t kept = 0xffffffff;
	int i;

	CHECK(memory != MAP_FAILED);
	if (!why[0]) {
		memcpy(memory, "kept", 4);
		CHECK(!ioctl(file, DROP));
		/* Nobody else gets these pages. */
		CHECK(!memcmp(memory, "kept", 4));
		memset(memory, 0xa5, PAGE);
		FAILS(ioctl(file, DROP), ENXIO);
		other = map(file, 1, DROPPABLE);
		CHECK(other == MAP_FAILED && errno == ENXIO);
	}
	verdict("memory that was dropped is kept");
	if (memory != MAP_FAILED) {
		/* What is parked is freed then, but not what is mapped. */
		sleep_and_wake();
		for (i = 0; i < PAGE; i++)
			CHECK(memory[i] == 0xa5);
		CHECK(!ioctl(file, KEPT, &kept) && kept == 1);
		CHECK(ioctl(file, ADD, bytes) == 7);
	}
	verdict("what is mapped stays when the system sleeps");
	/* It stays mapped, for when the driver is unbound. */
}

/* Calls the device as soon as its file is there, while its driver has it reset. */
static void reset(void)
{
	unsigned char bytes[8];
	int file, status, i, failed = 0;
	pid_t slow;

	for (i = 0; (file = open_any()) < 0 && i < 5000; i++)
		usleep(1000);
	slow = fork();
	if (!slow)
		_exit(ioctl(file, SLOW, 123) ? 1 : 0);
	for (i = 0; i < 5000; i++) {
		memset(bytes, 0, sizeof(bytes));
		if (ioctl(file, ADD, bytes) == 7) {
			if (failed)
				break;
		} else if (errno != EIO || bytes[0]) {
			_exit(1);
		} else if (!failed++) {
			/* Nor is anything mapped. */
			FAILS(map(file, 1, 0), EIO);
		}
		usleep(1000);
	}
	if (waitpid(slow, &status, 0) != slow || status)
		_exit(2);
	if (!failed || i == 5000)
		_exit(3);
	_exit(why[0] ? 4 : 0);
}

/* Unbound while all kinds of mappings are there. */
static void unbound(int file, const char *name)
{
	unsigned char *memory = map(file, PAGES, 0), *moved, *other;
	unsigned char bytes[8] = { 0 };
	int again = open(name, O_RDWR), status = 0, to[2], from[2];
	struct timespec before, after;
	pid_t child, slow;
	char byte = 0;

	other = map(again, 1, 0);
	/* Only the mapping has this file. */
	close(again);
	CHECK(memory != MAP_FAILED && other != MAP_FAILED);
	/* One in the middle is not mapped any more; the last one is elsewhere. */
	CHECK(!munmap(memory + PAGE, PAGE));
	moved = mremap(memory + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       memory + 16 * PAGE);
	CHECK(moved != MAP_FAILED && !touch(moved));
	memory[0] = 0x77;
	CHECK(other[0] == 0x77);
	CHECK(!pipe(to) && !pipe(from));

	child = fork();
	if (!child) {
		/* A child has what its parent has. */
		byte = memory[0] == 0x77 && !touch(moved) && !touch(other);
		if (write(from[1], &byte, 1) != 1 || read(to[0], &byte, 1) != 1)
			_exit(1);
		_exit(touch(memory) == SIGBUS && touch(moved) == SIGBUS &&
		      touch(other) == SIGBUS && look(memory + 2 * PAGE) == SIGBUS ?
			      0 :
			      2);
	}
	CHECK(read(from[0], &byte, 1) == 1 && byte);
	verdict("mappings are split, moved, and inherited");

	slow = fork();
	if (!slow)
		_exit(ioctl(file, SLOW, 123) ? 1 : 0);
	usleep(200000);
	clock_gettime(CLOCK_MONOTONIC, &before);
	tell("unbind");
	clock_gettime(CLOCK_MONOTONIC, &after);
	CHECK(waitpid(slow, &status, 0) == slow && !status);
	CHECK((after.tv_sec - before.tv_sec) * 1000 +
		      (after.tv_nsec - before.tv_nsec) / 1000000 >=
	      400);
	verdict("a call that is running is waited for");

	CHECK(touch(memory) == SIGBUS);
	CHECK(look(memory + 2 * PAGE + 100) == SIGBUS);
	CHECK(touch(moved) == SIGBUS);
	CHECK(touch(other) == SIGBUS);
	CHECK(write(to[1], &byte, 1) == 1 && waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		wrong("the child: status 0x%x", status);
	verdict("unbound: what was mapped is not");

	FAILS(ioctl(file, ADD, bytes), ENODEV);
	FAILS(map(file, 1, 0), ENODEV);
	CHECK(open(name, O_RDWR) == -1 && (errno == ENOENT || errno == ENODEV));
	/* Nor can it be by way of what was. */
	CHECK(!mprotect(memory, PAGE, PROT_READ) && look(memory) == SIGBUS);
	FAILS(remap_file_pages(memory, PAGE, 0, 0, 0), ENODEV);
	verdict("unbound: files that are open");

	child = fork();
	if (!child)
		reset();
	tell("bind");
	CHECK(waitpid(child, &status, 0) == child);
	if (status)
		wrong("status 0x%x", status);
	verdict("calls fail while the device is reset");

	again = open_any();
	CHECK(again >= 0);
	CHECK(touch(other) == SIGBUS);
	FAILS(ioctl(file, ADD, bytes), ENODEV);
	CHECK(ioctl(again, ADD, bytes) == 7);
	memory = map(again, PAGES, 0);
	CHECK(memory != MAP_FAILED && !touch(memory) && !memory[0]);
	if (!why[0]) {
		strcpy((char *)memory, "again");
		CHECK(!copy(again, 0, PAGE, 6) && !strcmp((char *)memory + PAGE, "again"));
	}
	/* What is left from before does not matter, in any order. */
	close(file);
	munmap(other, PAGE);
	munmap(moved, PAGE);
	CHECK(!touch(memory));
	verdict("bound again");

	/* The mapping alone has the file when the driver is unbound this time. */
	close(again);
	tell("unbind");
	CHECK(touch(memory) == SIGBUS);
	munmap(memory, PAGES * PAGE);
	tell("bind");
	verdict("unbound, when only a mapping is left");
}

/* What others do while it is unbound and bound again. */
#define OTHERS 4

struct shared {
	/* They are to look, by number; and the last time that each has. */
	atomic_int look, looked[OTHERS];
	atomic_int end, maps, mapped;
};

/* When the driver is unbound, nothing is mapped. */
static int still_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, at;
	char line[400];
	int found = 0;

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "/dev/edu-") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			for (at = start; at < end; at += PAGE)
				found += look((unsigned char *)at) != SIGBUS;
	if (maps)
		fclose(maps);
	return found;
}

static void other(struct shared *shared, int number)
{
	unsigned char bytes[8], *kept[8] = { NULL };
	int i = 0, file = -1, now;

	while (!shared->end) {
		now = shared->look;
		if (now != shared->looked[number]) {
			shared->mapped += still_mapped();
			shared->looked[number] = now;
		}
		if (file < 0)
			file = open_any();
		if (file < 0)
			continue;
		i++;
		if (kept[i % 8])
			munmap(kept[i % 8], (1 + i % PAGES) * PAGE);
		/* The length is that of the one that was there before. */
		kept[i % 8] = map(file, 1 + i % PAGES, 0);
		if (kept[i % 8] == MAP_FAILED) {
			kept[i % 8] = NULL;
			close(file);
			file = -1;
			continue;
		}
		shared->maps++;
		touch(kept[i % 8]);
		memset(bytes, 0, sizeof(bytes));
		ioctl(file, ADD, bytes);
		/* Mappings are copied, and go, at any time. */
		if (i % 64 == number) {
			pid_t child = fork();

			if (!child)
				_exit(touch(kept[i % 8]) ? 1 : 0);
			waitpid(child, NULL, 0);
		}
	}
}

static void race(int times)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t others[OTHERS];
	int i, number, status;

	for (number = 0; number < OTHERS; number++) {
		others[number] = fork();
		if (!others[number]) {
			other(shared, number);
			_exit(0);
		}
	}
	for (i = 1; i <= times; i++) {
		usleep(100000);
		tell("unbind");
		shared->look = i;
		for (number = 0; number < OTHERS; number++)
			while (shared->looked[number] != i && !kill(others[number], 0))
				usleep(1000);
		tell("bind");
	}
	shared->end = 1;
	for (number = 0; number < OTHERS; number++)
		if (waitpid(others[number], &status, 0) != others[number] || status)
			wrong("another ended with 0x%x", status);
	if (shared->mapped)
		wrong("%d pages were still mapped", shared->mapped);
	if (shared->maps < times)
		wrong("%d were mapped", shared->maps);
	verdict("unbound while others map");
}

int main(int count, char **words)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };
	int file;

	if (count != 5)
		errx(2, "what?");
	driver = words[3];
	device = words[4];
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	if (!strcmp(words[1], "race")) {
		race(atoi(words[2]));
		return 0;
	}
	file = open(words[2], O_RDWR);
	if (file < 0)
		err(2, "%s", words[2]);
	calls(file);
	moves(file);
	areas(file, words[2]);
	dropped(file);
	unbound(file, words[2]);
	return 0;
}
