/*
 * Load for a machine that will lose its power.
 *
 *   powerload run DIR SEED      changes files until the end, and says on standard output what must survive from then on
 *   powerload verify DIR        reads that from standard input, up to a line that is cut off; status 0 if all of it is there
 *
 * What is said reaches somebody outside the machine, who then ends it. A line "w FILE BLOCK VERSION" says that fsync returned after
 * that version of the block was written; "c NUMBER" that a file of that number was made, filled, and it and its directory were fsynced;
 * "r VERSION" that a file was replaced by rename, with fsync of both before and after. The block that was being written may be of any
 * mixture of the version that was promised and later ones.
 */
#include "check.h"

#define FILES 6
#define BLOCKS 300
#define BLOCK 4096
#define WORDS (BLOCK / 8)
#define PER_SYNC 4

static uint64_t words[WORDS];

static uint64_t stamp(uint64_t file, uint64_t block, uint64_t version)
{
	return file << 56 | block << 40 | version;
}

static void fill(uint64_t file, uint64_t block, uint64_t version)
{
	for (int i = 0; i < WORDS; i++)
		words[i] = stamp(file, block, version);
}

static void name_of(char *out, size_t size, const char *directory, const char *kind, uint64_t number)
{
	snprintf(out, size, "%s/%s%llu", directory, kind, (unsigned long long)number);
}

static void must(int fine, const char *what)
{
	if (!fine) {
		fprintf(stderr, "powerload: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static void sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY);
	must(fd >= 0 && fsync(fd) == 0 && close(fd) == 0, directory);
}

static void make(const char *path, uint64_t file, uint64_t version)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	must(fd >= 0, path);
	fill(file, 0, version);
	must(write(fd, words, BLOCK) == BLOCK && fsync(fd) == 0 && close(fd) == 0, path);
}

static void say(const char *line)
{
	size_t length = strlen(line);
	must(write(1, line, length) == (ssize_t)length, "standard output");
}

static _Noreturn void run(const char *directory, uint64_t random)
{
	char path[4096], target[4096], line[256];
	int fds[FILES];
	for (int i = 0; i < FILES; i++) {
		name_of(path, sizeof path, directory, "blocks", i);
		fds[i] = open(path, O_CREAT | O_RDWR, 0644);
		must(fds[i] >= 0 && fsync(fds[i]) == 0, path);
	}
	sync_directory(directory);
	for (uint64_t version = 1;; version++) {
		int file = version % FILES, length = 0;
		uint64_t block[PER_SYNC];
		for (int i = 0; i < PER_SYNC; i++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			block[i] = (random >> 33) % BLOCKS;
			fill(file, block[i], version);
			must(pwrite(fds[file], words, BLOCK, block[i] * BLOCK) == BLOCK, "pwrite");
		}
		must(fsync(fds[file]) == 0, "fsync");
		for (int i = 0; i < PER_SYNC; i++)
			length += snprintf(line + length, sizeof line - length, "w %d %llu %llu\n", file,
				(unsigned long long)block[i], (unsigned long long)version);
		say(line);
		if (version % 4 == 0) {
			name_of(path, sizeof path, directory, "created", version);
			make(path, 100, version);
			sync_directory(directory);
			snprintf(line, sizeof line, "c %llu\n", (unsigned long long)version);
			say(line);
		}
		if (version % 4 == 2) {
			name_of(path, sizeof path, directory, "replacement", 0);
			name_of(target, sizeof target, directory, "replaced", 0);
			make(path, 101, version);
			must(rename(path, target) == 0, "rename");
			sync_directory(directory);
			snprintf(line, sizeof line, "r %llu\n", (unsigned long long)version);
			say(line);
		}
	}
}

/* Every word is of this file and block, and of a version from the least to any. */
static void verify_block(const char *path, uint64_t file, uint64_t block, uint64_t least)
{
	check_case = path;
	int fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, words, BLOCK, block * BLOCK) != BLOCK) {
		check_fail(__FILE__, __LINE__, "block %llu is not there", (unsigned long long)block);
	} else {
		for (int i = 0; i < WORDS; i++) {
			uint64_t version = words[i] & 0xffffffffffULL;
			if (words[i] != stamp(file, block, version) || version < least) {
				check_fail(__FILE__, __LINE__, "block %llu, word %d: %llx, at least version %llu was promised",
					(unsigned long long)block, i, (unsigned long long)words[i], (unsigned long long)least);
				break;
			}
		}
	}
	if (fd >= 0)
		close(fd);
}

static int verify(const char *directory)
{
	static uint64_t promised[FILES][BLOCKS];
	static char line[256], path[4096];
	uint64_t replaced = 0, lines = 0;
	while (fgets(line, sizeof line, stdin) && strchr(line, '\n')) {
		unsigned long long file, block, version;
		if (sscanf(line, "w %llu %llu %llu", &file, &block, &version) == 3 && file < FILES && block < BLOCKS) {
			promised[file][block] = version;
		} else if (sscanf(line, "c %llu", &version) == 1) {
			name_of(path, sizeof path, directory, "created", version);
			verify_block(path, 100, 0, version);
		} else if (sscanf(line, "r %llu", &version) == 1) {
			replaced = version;
		} else {
			continue; /* somebody else's output */
		}
		lines++;
	}
	for (int file = 0; file < FILES; file++)
		for (int block = 0; block < BLOCKS; block++)
			if (promised[file][block]) {
				name_of(path, sizeof path, directory, "blocks", file);
				verify_block(path, file, block, promised[file][block]);
			}
	if (replaced) {
		name_of(path, sizeof path, directory, "replaced", 0);
		verify_block(path, 101, 0, replaced);
	}
	printf("%llu promises, %d broken\n", (unsigned long long)lines, check_failures);
	return check_failures || lines == 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "run") == 0)
		run(argv[2], strtoull(argv[3], NULL, 0));
	if (argc == 3 && strcmp(argv[1], "verify") == 0)
		return verify(argv[2]);
	fprintf(stderr, "usage: powerload run DIR SEED | verify DIR\n");
	return 2;
}
