/*
 * Applications on a node whose daemon is stopped and goes on later, and on the one that wants the same files meanwhile. Files are filled
 * with one value, or with those that grow, so that it can be told from each word who wrote it.
 *
 *   hang fill FILE VALUE              writes the whole file and syncs it
 *   hang expect FILE VALUE [LEAST]    status 0 if every word is VALUE; or not below LEAST, if that is given
 *   hang load FILE                    writes 1, 2, 3, ... all over the file, each with fsync, and says so, until there is an error,
 *                                     which it says too
 *   hang hold FILE                    writes through a mapping and by pwrite; what comes next it is told by lines on standard input
 *
 * hold: 1 is everywhere and synced: "saved". 2 is stored in the first part and written in the second: "unsaved". After a line 3 is stored
 * in the third part, for which the daemon is not needed, as its pages are there, clean: "stored". Then it syncs, and says what fsync
 * returned. After one more line, which is a value, it says how many words of its mapping are another. From "stored" on it writes nothing:
 * what somebody else has written and synced after that must stay.
 */
#include "check.h"

#include <sys/mman.h>

#define BYTES (4 << 20)
#define WORDS (BYTES / 8)
#define PIECE (64 << 10)
/* Parts are few pages: the kernel begins by itself to write those of one mount when they are more than it likes. */
#define PART (256 << 10)
#define PART_WORDS (PART / 8)

static uint64_t piece[PIECE / 8];

static _Noreturn void end(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(3);
}

static void must(int fine, const char *what)
{
	if (!fine)
		end(what);
}

static int open_file(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR, 0644);
	must(fd >= 0, path);
	return fd;
}

/* Of the whole file, or of a part. */
static void put(int fd, off_t from, off_t to, uint64_t value)
{
	for (int i = 0; i < PIECE / 8; i++)
		piece[i] = value;
	for (; from < to; from += PIECE)
		must(pwrite(fd, piece, PIECE, from) == PIECE, "pwrite");
}

static void fill(const char *path, uint64_t value)
{
	int fd = open_file(path);
	put(fd, 0, BYTES, value);
	must(fsync(fd) == 0, "fsync");
	must(close(fd) == 0, "close");
}

static int expect(const char *path, uint64_t value, uint64_t least)
{
	uint64_t others = 0, other = 0;
	int fd = open(path, O_RDONLY);
	must(fd >= 0, path);
	for (off_t at = 0; at < BYTES; at += PIECE) {
		must(pread(fd, piece, PIECE, at) == PIECE, "pread");
		for (int i = 0; i < PIECE / 8; i++)
			if (piece[i] != value && piece[i] < least) {
				others++;
				other = piece[i];
			}
	}
	if (others)
		printf("%s: %llu of %d words are wrong, the last is %llu\n", path, (unsigned long long)others, WORDS,
			(unsigned long long)other);
	return others != 0;
}

static _Noreturn void load(const char *path)
{
	int fd = open_file(path);
	for (uint64_t value = 1;; value++) {
		put(fd, 0, BYTES, value);
		must(fsync(fd) == 0, "fsync");
		printf("%llu\n", (unsigned long long)value);
	}
}

static void store(uint64_t *words, uint64_t value)
{
	volatile uint64_t *all = words;
	for (int i = 0; i < PART_WORDS; i++)
		all[i] = value;
}

/* Has all pages there. */
static int count_others(const uint64_t *words, uint64_t value)
{
	const volatile uint64_t *all = words;
	int others = 0;
	for (int i = 0; i < WORDS; i++)
		others += all[i] != value;
	return others;
}

static uint64_t await_line(void)
{
	char line[64];
	must(fgets(line, sizeof line, stdin) != NULL, "standard input");
	return strtoull(line, NULL, 0);
}

static void hold(const char *path)
{
	int fd = open_file(path);
	uint64_t *words = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(words != MAP_FAILED, "mmap");
	put(fd, 0, BYTES, 1);
	must(fsync(fd) == 0 && count_others(words, 1) == 0, "the beginning");
	puts("saved");
	store(words, 2);
	put(fd, PART, 2 * PART, 2);
	puts("unsaved");
	await_line();
	store(words + 2 * PART_WORDS, 3);
	puts("stored");
	int failed = fsync(fd);
	printf("fsync: %s\n", failed ? strerror(errno) : "fine");
	printf("mapping: %d others\n", count_others(words, await_line()));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && strcmp(argv[1], "fill") == 0) {
		fill(argv[2], strtoull(argv[3], NULL, 0));
		return 0;
	}
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "expect") == 0)
		return expect(argv[2], strtoull(argv[3], NULL, 0), argc == 5 ? strtoull(argv[4], NULL, 0) : UINT64_MAX);
	if (argc == 3 && strcmp(argv[1], "load") == 0)
		load(argv[2]);
	if (argc == 3 && strcmp(argv[1], "hold") == 0) {
		hold(argv[2]);
		return 0;
	}
	fprintf(stderr, "usage: hang fill FILE VALUE | expect FILE VALUE [LEAST] | load FILE | hold FILE\n");
	return 2;
}
