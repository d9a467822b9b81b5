/*
 * What POSIX and Linux promise about files, checked on one directory: posix DIR [CASE]. Root, because it changes owners and
 * acts as other users. Prints one line per broken promise; exit status 1 if there was any.
 */
#include "check.h"
#include <dirent.h>
#include <linux/fs.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define TILE (2L * 1024 * 1024)

/* ---- opening ---- */

static void open_flags(void)
{
	char b[16];
	touch("f", "hello");
	FAILS(EEXIST, open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
	FAILS(ENOENT, open("missing", O_RDONLY));
	FAILS(ENOENT, open("missing/f", O_CREAT | O_RDWR, 0644));
	FAILS(ENOTDIR, open("f/g", O_CREAT | O_RDWR, 0644));
	FAILS(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	FAILS(EISDIR, open(".", O_WRONLY));
	FAILS(EISDIR, open(".", O_CREAT | O_RDWR, 0644));
	MUST(symlink("f", "l"));
	FAILS(ELOOP, open("l", O_RDONLY | O_NOFOLLOW));
	FAILS(EEXIST, open("l", O_CREAT | O_EXCL | O_RDWR, 0644));
	MUST(symlink("nowhere", "dangling"));
	int fd = MUST(open("dangling", O_CREAT | O_RDWR, 0600));
	OK(close(fd));
	EQUALS(S_IFREG | 0600, stat_of("nowhere").st_mode);
	fd = MUST(open("f", O_WRONLY));
	FAILS(EBADF, read(fd, b, 1));
	OK(close(fd));
	fd = MUST(open("f", O_RDONLY));
	FAILS(EBADF, write(fd, b, 1));
	FAILS(EINVAL, ftruncate(fd, 1));
	OK(close(fd));
	fd = MUST(open("f", O_RDWR | O_TRUNC));
	EQUALS(0, fstat_of(fd).st_size);
	OK(close(fd));
	fd = MUST(open("f", O_PATH));
	FAILS(EBADF, read(fd, b, 1));
	EQUALS(0, fstat_of(fd).st_size);
	OK(close(fd));
	umask(027);
	fd = MUST(open("masked", O_CREAT | O_RDWR, 0666));
	umask(022);
	EQUALS(S_IFREG | 0640, fstat_of(fd).st_mode);
	OK(close(fd));
	fd = MUST(open("readonly", O_CREAT | O_RDWR, 0));
	EQUALS(3, OK(write(fd, "abc", 3)));
	EQUALS(3, OK(pread(fd, b, 16, 0)));
	OK(close(fd));
}

static void append(void)
{
	char b[16] = {0};
	int one = MUST(open("f", O_CREAT | O_APPEND | O_RDWR, 0644)), two = MUST(open("f", O_APPEND | O_RDWR));
	for (int i = 0; i < 4; i++)
		EQUALS(2, OK(write(i % 2 ? two : one, i % 2 ? "BB" : "aa", 2)));
	EQUALS(8, OK(pread(one, b, 16, 0)));
	CHECK(!memcmp(b, "aaBBaaBB", 8));
	EQUALS(8, OK(lseek(two, 0, SEEK_CUR)));
	close(one), close(two);
}

static void concurrent_append(void)
{
	enum { WRITERS = 4, LINES = 500, WIDTH = 32 };
	char line[WIDTH + 1];
	touch("f", "");
	for (int w = 0; w < WRITERS; w++) {
		if (fork() == 0) {
			int fd = MUST(open("f", O_APPEND | O_WRONLY));
			for (int i = 0; i < LINES; i++) {
				snprintf(line, sizeof line, "%d:%-*d", w, WIDTH - 3, i);
				line[WIDTH - 1] = '\n';
				MUST(write(fd, line, WIDTH));
			}
			_exit(0);
		}
	}
	int status;
	while (wait(&status) > 0)
		CHECK(status == 0);
	EQUALS(WRITERS * LINES * WIDTH, stat_of("f").st_size);
	int fd = MUST(open("f", O_RDONLY)), next[WRITERS] = {0};
	for (int i = 0; i < WRITERS * LINES; i++) {
		MUST(read(fd, line, WIDTH));
		int w = line[0] - '0', n = atoi(line + 2);
		if (w < 0 || w >= WRITERS || n != next[w]++ || line[WIDTH - 1] != '\n') {
			check_fail(__FILE__, __LINE__, "record %d is torn or out of order", i);
			break;
		}
	}
	close(fd);
}

static void tmpfile_and_link(void)
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0640);
	if (fd < 0) {
		check_fail(__FILE__, __LINE__, "O_TMPFILE: %s", strerror(errno));
		return;
	}
	EQUALS(0, fstat_of(fd).st_nlink);
	EQUALS(S_IFREG | 0640, fstat_of(fd).st_mode);
	EQUALS(5, OK(write(fd, "hello", 5)));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	EQUALS(1, fstat_of(fd).st_nlink);
	CHECK(contains("named", "hello"));
	FAILS(EEXIST, linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	OK(close(fd));
	CHECK(contains("named", "hello"));
	fd = MUST(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	FAILS(ENOENT, linkat(AT_FDCWD, path, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
	OK(close(fd));
}

/* ---- names ---- */

static void names(void)
{
	char name[300];
	memset(name, 'n', sizeof name);
	name[255] = 0;
	touch(name, "x");
	CHECK(contains(name, "x"));
	name[255] = 'n', name[256] = 0;
	FAILS(ENAMETOOLONG, open(name, O_CREAT | O_RDWR, 0644));
	FAILS(ENAMETOOLONG, mkdir(name, 0755));
	FAILS(ENAMETOOLONG, unlink(name));
	touch("\xff\xfe not utf-8 \x01", "y");
	CHECK(contains("\xff\xfe not utf-8 \x01", "y"));
	touch("UPPER", "u");
	touch("upper", "l");
	CHECK(contains("UPPER", "u"));
	CHECK(contains("upper", "l"));
	struct statvfs v;
	OK(statvfs(".", &v));
	EQUALS(255, v.f_namemax);
}

static void directories(void)
{
	OK(mkdir("d", 0755));
	EQUALS(2, stat_of("d").st_nlink);
	FAILS(EEXIST, mkdir("d", 0755));
	OK(mkdir("d/e", 0700));
	EQUALS(3, stat_of("d").st_nlink);
	EQUALS(S_IFDIR | 0700, stat_of("d/e").st_mode);
	FAILS(ENOTEMPTY, rmdir("d"));
	CHECK(unlink("d") == -1 && (errno == EISDIR || errno == EPERM));
	touch("f", "");
	FAILS(ENOTDIR, rmdir("f"));
	OK(rmdir("d/e"));
	EQUALS(2, stat_of("d").st_nlink);
	FAILS(ENOENT, rmdir("d/e"));
	FAILS(EINVAL, rmdir("d/."));
	CHECK(rmdir("d/..") == -1);
	int dir = MUST(open("d", O_RDONLY | O_DIRECTORY));
	OK(rmdir("d"));
	EQUALS(0, fstat_of(dir).st_nlink);
	FAILS(ENOENT, openat(dir, "x", O_CREAT | O_RDWR, 0644));
	FAILS(ENOENT, mkdirat(dir, "x", 0755));
	OK(fsync(dir));
	OK(close(dir));
}

static void directory_times(void)
{
	OK(mkdir("d", 0755));
	struct timespec old[2] = {{1000, 1}, {1000, 2}};
	OK(utimensat(AT_FDCWD, "d", old, 0));
	touch("d/f", "");
	CHECK(stat_of("d").st_mtim.tv_sec > 1000);
	OK(utimensat(AT_FDCWD, "d", old, 0));
	OK(rename("d/f", "d/g"));
	CHECK(stat_of("d").st_mtim.tv_sec > 1000);
	OK(utimensat(AT_FDCWD, "d", old, 0));
	struct timespec before = stat_of("d/g").st_ctim;
	usleep(20000);
	OK(link("d/g", "d/h"));
	CHECK(stat_of("d").st_mtim.tv_sec > 1000);
	struct timespec after = stat_of("d/g").st_ctim;
	CHECK(after.tv_sec > before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec > before.tv_nsec));
	OK(utimensat(AT_FDCWD, "d", old, 0));
	OK(unlink("d/h"));
	CHECK(stat_of("d").st_mtim.tv_sec > 1000);
}

static void renames(void)
{
	touch("a", "A");
	touch("b", "B");
	ino_t a = stat_of("a").st_ino;
	OK(rename("a", "b"));
	FAILS(ENOENT, access("a", F_OK));
	CHECK(contains("b", "A"));
	EQUALS(a, stat_of("b").st_ino);
	FAILS(ENOENT, rename("a", "c"));
	OK(mkdir("d", 0755));
	FAILS(EISDIR, rename("b", "d"));
	FAILS(ENOTDIR, rename("d", "b"));
	OK(mkdir("d/e", 0755));
	FAILS(EINVAL, rename("d", "d/e/f"));
	FAILS(EINVAL, rename("d", "d/e"));
	OK(mkdir("full", 0755));
	touch("full/x", "");
	CHECK(rename("d/e", "full") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	OK(mkdir("empty", 0755));
	OK(rename("full", "empty"));
	CHECK(contains("empty/x", ""));
	EQUALS(3, stat_of("d").st_nlink);
	OK(rename("d/e", "e"));
	EQUALS(2, stat_of("d").st_nlink);
	struct stat st;
	OK(stat("e/..", &st));
	EQUALS(stat_of(".").st_ino, st.st_ino);
	OK(link("b", "hard"));
	OK(rename("b", "hard"));
	OK(access("b", F_OK));
	OK(access("hard", F_OK));
	EQUALS(2, stat_of("hard").st_nlink);
	int fd = MUST(open("b", O_RDONLY));
	touch("new", "N");
	OK(rename("new", "b"));
	EQUALS(1, fstat_of(fd).st_nlink);
	OK(unlink("hard"));
	EQUALS(0, fstat_of(fd).st_nlink);
	char c = 0;
	EQUALS(1, OK(read(fd, &c, 1)));
	EQUALS('A', c);
	OK(close(fd));
}

static void rename_flags(void)
{
	touch("a", "A");
	touch("b", "B");
	FAILS(EEXIST, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	CHECK(contains("c", "A"));
	OK(renameat2(AT_FDCWD, "c", AT_FDCWD, "b", RENAME_EXCHANGE));
	CHECK(contains("c", "B"));
	CHECK(contains("b", "A"));
	FAILS(ENOENT, renameat2(AT_FDCWD, "c", AT_FDCWD, "missing", RENAME_EXCHANGE));
	OK(mkdir("d", 0755));
	OK(mkdir("d/sub", 0755));
	touch("d/sub/f", "deep");
	OK(renameat2(AT_FDCWD, "c", AT_FDCWD, "d/sub", RENAME_EXCHANGE));
	CHECK(contains("c/f", "deep"));
	CHECK(contains("d/sub", "B"));
	EQUALS(2, stat_of("d").st_nlink);
	struct stat st;
	OK(stat("c/..", &st));
	EQUALS(stat_of(".").st_ino, st.st_ino);
	FAILS(EINVAL, renameat2(AT_FDCWD, "d", AT_FDCWD, "d/sub", RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "b", AT_FDCWD, "x", RENAME_EXCHANGE | RENAME_NOREPLACE));
}

static void hard_links(void)
{
	touch("a", "A");
	OK(link("a", "b"));
	EQUALS(2, stat_of("a").st_nlink);
	EQUALS(stat_of("a").st_ino, stat_of("b").st_ino);
	FAILS(EEXIST, link("a", "b"));
	FAILS(ENOENT, link("missing", "c"));
	OK(mkdir("d", 0755));
	FAILS(EPERM, link("d", "d2"));
	int fd = MUST(open("b", O_WRONLY | O_APPEND));
	OK(write(fd, "2", 1));
	OK(close(fd));
	CHECK(contains("a", "A2"));
	OK(unlink("a"));
	EQUALS(1, stat_of("b").st_nlink);
	CHECK(contains("b", "A2"));
	MUST(symlink("b", "sym"));
	OK(link("sym", "sym2"));
	CHECK(S_ISLNK(stat_of("sym2").st_mode));
	EQUALS(2, stat_of("sym").st_nlink);
}

static void symlinks(void)
{
	char target[4097], b[5000];
	OK(symlink("target", "s"));
	EQUALS(6, OK(readlink("s", b, sizeof b)));
	CHECK(!memcmp(b, "target", 6));
	EQUALS(3, OK(readlink("s", b, 3)));
	EQUALS(6, stat_of("s").st_size);
	EQUALS(S_IFLNK | 0777, stat_of("s").st_mode);
	FAILS(EEXIST, symlink("x", "s"));
	FAILS(ENOENT, open("s", O_RDONLY));
	FAILS(ENOENT, symlink("", "empty"));
	touch("f", "");
	FAILS(EINVAL, readlink("f", b, sizeof b));
	memset(target, 'a', sizeof target);
	target[4095] = 0;
	OK(symlink(target, "long"));
	EQUALS(4095, OK(readlink("long", b, sizeof b)));
	MUST(symlink("loop", "loop"));
	FAILS(ELOOP, open("loop", O_RDONLY));
	struct timespec t[2] = {{11, 12}, {13, 14}};
	OK(utimensat(AT_FDCWD, "s", t, AT_SYMLINK_NOFOLLOW));
	EQUALS(13, stat_of("s").st_mtim.tv_sec);
	OK(lchown("s", 12, 34));
	EQUALS(12, stat_of("s").st_uid);
}

static void unlinked_but_open(void)
{
	char b[16] = {0};
	int fd = make_file("f", "hello");
	OK(unlink("f"));
	FAILS(ENOENT, access("f", F_OK));
	EQUALS(0, fstat_of(fd).st_nlink);
	EQUALS(5, OK(pwrite(fd, "world", 5, 5)));
	EQUALS(10, OK(pread(fd, b, 16, 0)));
	CHECK(!memcmp(b, "helloworld", 10));
	OK(ftruncate(fd, 3));
	EQUALS(3, fstat_of(fd).st_size);
	OK(fchmod(fd, 0600));
	OK(fsync(fd));
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	OK(close(fd));
	touch("f", "other");
	map[0] = 'X';
	OK(msync(map, 4096, MS_SYNC));
	CHECK(!memcmp(map, "Xel", 3));
	OK(munmap(map, 4096));
	CHECK(contains("f", "other"));
}

/* ---- sizes, holes, space ---- */

static void truncation(void)
{
	char b[64];
	int fd = make_file("f", "0123456789");
	OK(ftruncate(fd, 4));
	EQUALS(4, fstat_of(fd).st_size);
	OK(ftruncate(fd, 8));
	memset(b, 1, sizeof b);
	EQUALS(8, OK(pread(fd, b, sizeof b, 0)));
	CHECK(!memcmp(b, "0123\0\0\0\0", 8));
	OK(truncate("f", 0));
	EQUALS(0, fstat_of(fd).st_blocks);
	FAILS(EINVAL, truncate("f", -1));
	FAILS(EISDIR, truncate(".", 0));
	EQUALS(1, OK(pwrite(fd, "x", 1, 100)));
	EQUALS(101, fstat_of(fd).st_size);
	memset(b, 1, sizeof b);
	EQUALS(64, OK(pread(fd, b, 64, 0)));
	for (int i = 0; i < 64; i++)
		if (b[i])
			check_fail(__FILE__, __LINE__, "byte %d of a hole is %d", i, b[i]);
	/* across tiles: bytes cut away must not come back */
	char *big = malloc(3 * TILE);
	memset(big, 'b', 3 * TILE);
	EQUALS(3 * TILE, OK(pwrite(fd, big, 3 * TILE, 0)));
	OK(ftruncate(fd, TILE + 5000));
	OK(ftruncate(fd, 3 * TILE));
	EQUALS(3 * TILE, OK(pread(fd, big, 3 * TILE, 0)));
	long wrong = 0;
	for (long i = 0; i < 3 * TILE; i++)
		wrong += big[i] != (i < TILE + 5000 ? 'b' : 0);
	EQUALS(0, wrong);
	free(big);
	struct timespec before = fstat_of(fd).st_mtim;
	usleep(20000);
	OK(ftruncate(fd, 10));
	struct timespec after = fstat_of(fd).st_mtim;
	CHECK(after.tv_sec > before.tv_sec || after.tv_nsec != before.tv_nsec);
	OK(close(fd));
}

static void truncate_under_mapping(void)
{
	int fd = make_file("f", "");
	OK(ftruncate(fd, 8192));
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	memset(map, 'm', 8192);
	OK(ftruncate(fd, 100));
	for (int i = 100; i < 4096; i++)
		if (map[i]) {
			check_fail(__FILE__, __LINE__, "byte %d after the new end is %d in the mapping", i, map[i]);
			break;
		}
	CHECK(map[99] == 'm');
	map[200] = 'z'; /* beyond the end: may not reach the file */
	OK(msync(map, 4096, MS_SYNC));
	OK(ftruncate(fd, 8192));
	char b[8192];
	EQUALS(8192, OK(pread(fd, b, 8192, 0)));
	long wrong = 0;
	for (int i = 0; i < 8192; i++)
		wrong += b[i] != (i < 100 ? 'm' : 0);
	/* Linux lets a store beyond the end show up if the file grows while the page is in memory; nothing else may. */
	CHECK(wrong <= 1);
	OK(munmap(map, 8192));
	OK(close(fd));
}

static sigjmp_buf bus;
static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(bus, 1);
}

static void fault_beyond_the_end(void)
{
	int fd = make_file("f", "short");
	volatile char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	CHECK((void *)map != MAP_FAILED);
	EQUALS('s', map[0]);
	EQUALS(0, map[4095]);
	signal(SIGBUS, on_bus);
	if (sigsetjmp(bus, 1) == 0) {
		char c = map[4096];
		check_fail(__FILE__, __LINE__, "a load beyond the last page gave %d instead of SIGBUS", c);
	}
	signal(SIGBUS, SIG_DFL);
	munmap((void *)map, 8192);
	close(fd);
}

static void holes(void)
{
	char b[16];
	int fd = make_file("f", "");
	EQUALS(4, OK(pwrite(fd, "data", 4, 4 * TILE)));
	EQUALS(4 * TILE + 4, fstat_of(fd).st_size);
	CHECK(fstat_of(fd).st_blocks * 512L <= 2 * TILE);
	EQUALS(0, OK(lseek(fd, 0, SEEK_HOLE)));
	long data = OK(lseek(fd, 0, SEEK_DATA));
	CHECK(data > 0 && data <= 4 * TILE);
	EQUALS(4 * TILE + 4, OK(lseek(fd, 4 * TILE, SEEK_HOLE)));
	EQUALS(4 * TILE + 1, OK(lseek(fd, 4 * TILE + 1, SEEK_DATA)));
	FAILS(ENXIO, lseek(fd, 4 * TILE + 4, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, 5 * TILE, SEEK_HOLE));
	EQUALS(16, OK(pread(fd, b, 16, 2 * TILE)));
	CHECK(!memcmp(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
	OK(ftruncate(fd, 1L << 40));
	EQUALS(1L << 40, fstat_of(fd).st_size);
	EQUALS(1, OK(pwrite(fd, "e", 1, (1L << 40) - 1)));
	EQUALS(1, OK(pread(fd, b, 16, (1L << 40) - 1)));
	EQUALS('e', b[0]);
	OK(close(fd));
}

static void allocation(void)
{
	char b[8192];
	int fd = make_file("f", "");
	OK(fallocate(fd, 0, 0, 3 * TILE));
	EQUALS(3 * TILE, fstat_of(fd).st_size);
	CHECK(fstat_of(fd).st_blocks * 512L >= 3 * TILE);
	EQUALS(8192, OK(pread(fd, b, 8192, TILE - 100)));
	for (int i = 0; i < 8192; i++)
		if (b[i]) {
			check_fail(__FILE__, __LINE__, "byte %d of preallocated space is %d", i, b[i]);
			break;
		}
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 3 * TILE, TILE));
	EQUALS(3 * TILE, fstat_of(fd).st_size);
	memset(b, 'x', sizeof b);
	EQUALS(8192, OK(pwrite(fd, b, 8192, TILE)));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, TILE + 1000, 3000));
	memset(b, 1, sizeof b);
	EQUALS(8192, OK(pread(fd, b, 8192, TILE)));
	for (int i = 0; i < 8192; i++)
		if (b[i] != (i >= 1000 && i < 4000 ? 0 : 'x')) {
			check_fail(__FILE__, __LINE__, "after the hole was punched, byte %d is %d", i, b[i]);
			break;
		}
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, TILE + 4000, 96));
	EQUALS(8192, OK(pread(fd, b, 8192, TILE)));
	EQUALS(0, b[4000]);
	EQUALS(0, b[4095]);
	EQUALS('x', b[4096]);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 3 * TILE - 10, 20));
	EQUALS(3 * TILE + 10, fstat_of(fd).st_size);
	long before = fstat_of(fd).st_blocks;
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, TILE));
	CHECK(fstat_of(fd).st_blocks < before);
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	FAILS(EINVAL, fallocate(fd, 0, -1, 10));
	OK(close(fd));
	fd = MUST(open("f", O_RDONLY));
	FAILS(EBADF, fallocate(fd, 0, 0, 10));
	OK(close(fd));
}

static void copying(void)
{
	char *a = malloc(5 * TILE), *b = malloc(5 * TILE);
	for (long i = 0; i < 5 * TILE; i++)
		a[i] = (char)(i * 31 >> 3);
	int in = make_file("in", ""), out = make_file("out", "");
	EQUALS(5 * TILE, OK(pwrite(in, a, 5 * TILE, 0)));
	off_t from = 1000, to = 77;
	long left = 5 * TILE - 1000, n;
	while (left > 0 && (n = OK(copy_file_range(in, &from, out, &to, left, 0))) > 0)
		left -= n;
	EQUALS(0, left);
	EQUALS(5 * TILE - 1000 + 77, fstat_of(out).st_size);
	EQUALS(5 * TILE - 1000, OK(pread(out, b, 5 * TILE, 77)));
	CHECK(!memcmp(a + 1000, b, 5 * TILE - 1000));
	from = 5 * TILE;
	EQUALS(0, OK(copy_file_range(in, &from, out, &to, 10, 0)));
	from = 0, to = 100;
	FAILS(EINVAL, copy_file_range(in, &from, in, &to, 1000, 0));
	free(a), free(b), close(in), close(out);
}

static void space(void)
{
	struct statfs before, during;
	OK(statfs(".", &before));
	CHECK(before.f_blocks > 0 && before.f_bavail <= before.f_bfree && before.f_bfree <= before.f_blocks);
	CHECK(before.f_files > 0 && before.f_ffree <= before.f_files);
	int fd = make_file("f", "");
	char *block = calloc(1, TILE);
	for (int i = 0; i < 16; i++)
		EQUALS(TILE, OK(pwrite(fd, block, TILE, i * TILE)));
	OK(fsync(fd));
	OK(statfs(".", &during));
	long used = (long)(before.f_bfree - during.f_bfree) * during.f_bsize;
	CHECK(used >= 14 * TILE && used <= 40 * TILE);
	EQUALS(16 * TILE / 512, fstat_of(fd).st_blocks);
	free(block), close(fd);
}

/* ---- reading and writing ---- */

static void vectors(void)
{
	char a[5000], b[3000], c[9000];
	memset(a, 'a', sizeof a), memset(b, 'b', sizeof b);
	int fd = make_file("f", "");
	struct iovec v[2] = {{a, sizeof a}, {b, sizeof b}};
	EQUALS(8000, OK(pwritev(fd, v, 2, 10)));
	EQUALS(8010, OK(pread(fd, c, 9000, 0)));
	CHECK(c[0] == 0 && c[10] == 'a' && c[5009] == 'a' && c[5010] == 'b' && c[8009] == 'b');
	EQUALS(0, OK(pread(fd, c, 10, 8010)));
	EQUALS(0, OK(pread(fd, c, 10, 1L << 50)));
	EQUALS(0, OK(pwrite(fd, c, 0, 1 << 20)));
	EQUALS(8010, fstat_of(fd).st_size);
	FAILS(EINVAL, pread(fd, c, 1, -1));
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	EQUALS(8010, OK(lseek(fd, 0, SEEK_END)));
	close(fd);
}

static void direct(void)
{
	char *a, *b;
	if (posix_memalign((void **)&a, 4096, TILE) || posix_memalign((void **)&b, 4096, TILE))
		abort();
	for (long i = 0; i < TILE; i++)
		a[i] = (char)(i * 7 >> 4);
	int fd = MUST(open("f", O_CREAT | O_RDWR | O_DIRECT, 0644));
	EQUALS(TILE, OK(pwrite(fd, a, TILE, 0)));
	EQUALS(TILE, OK(pwrite(fd, a, TILE, TILE - 4096)));
	EQUALS(4096, OK(pread(fd, b, 4096, TILE)));
	CHECK(!memcmp(a + 4096, b, 4096));
	/* direct and buffered I/O on one file see each other */
	int buffered = MUST(open("f", O_RDWR));
	EQUALS(3, OK(pwrite(buffered, "abc", 3, 8192)));
	EQUALS(4096, OK(pread(fd, b, 4096, 8192)));
	CHECK(!memcmp(b, "abc", 3));
	memset(b, 'd', 4096);
	EQUALS(4096, OK(pwrite(fd, b, 4096, 8192)));
	char c[3];
	EQUALS(3, OK(pread(buffered, c, 3, 8192)));
	CHECK(!memcmp(c, "ddd", 3));
	/* a mapping, too */
	char *map = mmap(NULL, TILE, PROT_READ | PROT_WRITE, MAP_SHARED, buffered, 0);
	CHECK(map != MAP_FAILED && map[8192] == 'd');
	map[8192] = 'M';
	EQUALS(4096, OK(pread(fd, b, 4096, 8192)));
	EQUALS('M', b[0]);
	memset(b, 'e', 4096);
	EQUALS(4096, OK(pwrite(fd, b, 4096, 8192)));
	EQUALS('e', map[8192]);
	munmap(map, TILE);
	close(fd), close(buffered), free(a), free(b);
}

static void mapping_and_calls(void)
{
	int fd = make_file("f", "");
	OK(ftruncate(fd, 4 * TILE));
	char *map = mmap(NULL, 4 * TILE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), b[8];
	CHECK(map != MAP_FAILED);
	for (long i = 0; i < 4 * TILE; i += 4096)
		map[i] = (char)(i >> 12);
	EQUALS(1, OK(pread(fd, b, 1, 4096 * 5)));
	EQUALS(5, b[0]);
	EQUALS(3, OK(pwrite(fd, "xyz", 3, 4096 * 9)));
	CHECK(!memcmp(map + 4096 * 9, "xyz", 3));
	OK(msync(map, 4 * TILE, MS_SYNC));
	OK(munmap(map, 4 * TILE));
	OK(close(fd));
	fd = MUST(open("f", O_RDONLY));
	map = mmap(NULL, 4 * TILE, PROT_READ, MAP_PRIVATE, fd, 0);
	for (long i = 0; i < 4 * TILE; i += 4096)
		if (i != 4096 * 9 && map[i] != (char)(i >> 12)) {
			check_fail(__FILE__, __LINE__, "page %ld lost its store", i >> 12);
			break;
		}
	OK(munmap(map, 4 * TILE));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	map[0] = 'p';
	EQUALS(1, OK(pread(fd, b, 1, 0)));
	EQUALS(0, b[0]);
	OK(munmap(map, 4096));
	FAILS(EACCES, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	OK(close(fd));
}

/* ---- attributes ---- */

static void times(void)
{
	touch("f", "x");
	struct timespec t[2] = {{1234567890, 123456789}, {987654321, 987654321}};
	OK(utimensat(AT_FDCWD, "f", t, 0));
	struct stat st = stat_of("f");
	EQUALS(1234567890, st.st_atim.tv_sec);
	EQUALS(123456789, st.st_atim.tv_nsec);
	EQUALS(987654321, st.st_mtim.tv_sec);
	EQUALS(987654321, st.st_mtim.tv_nsec);
	CHECK(st.st_ctim.tv_sec > 1234567890);
	struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
	OK(utimensat(AT_FDCWD, "f", omit, 0));
	st = stat_of("f");
	EQUALS(1234567890, st.st_atim.tv_sec);
	CHECK(st.st_mtim.tv_sec > 1234567890);
	struct timespec early[2] = {{-100, 5}, {-1, 999999999}};
	OK(utimensat(AT_FDCWD, "f", early, 0));
	EQUALS(-100, stat_of("f").st_atim.tv_sec);
	EQUALS(-1, stat_of("f").st_mtim.tv_sec);
	EQUALS(999999999, stat_of("f").st_mtim.tv_nsec);
	struct timespec late[2] = {{8589934592L, 0}, {8589934592L, 1}};
	OK(utimensat(AT_FDCWD, "f", late, 0));
	EQUALS(8589934592L, stat_of("f").st_mtim.tv_sec);
	/* write moves mtime and ctime, chmod only ctime */
	OK(utimensat(AT_FDCWD, "f", t, 0));
	int fd = MUST(open("f", O_WRONLY));
	OK(write(fd, "y", 1));
	CHECK(fstat_of(fd).st_mtim.tv_sec > 1234567890);
	/* and explicit times stay although the file was written before and is closed after */
	OK(futimens(fd, t));
	OK(close(fd));
	EQUALS(987654321, stat_of("f").st_mtim.tv_sec);
	struct timespec c = stat_of("f").st_ctim;
	usleep(20000);
	OK(chmod("f", 0600));
	EQUALS(987654321, stat_of("f").st_mtim.tv_sec);
	CHECK(stat_of("f").st_ctim.tv_sec > c.tv_sec || stat_of("f").st_ctim.tv_nsec != c.tv_nsec);
	/* relatime: the first read after a change moves atime */
	OK(utimensat(AT_FDCWD, "f", (struct timespec[2]){{1000, 0}, {2000, 0}}, 0));
	fd = MUST(open("f", O_RDONLY));
	char b;
	OK(read(fd, &b, 1));
	OK(close(fd));
	CHECK(stat_of("f").st_atim.tv_sec > 2000);
}

static void modes(void)
{
	touch("f", "x");
	for (int mode = 0; mode <= 07777; mode += 0111) {
		OK(chmod("f", mode));
		EQUALS(S_IFREG | mode, stat_of("f").st_mode);
	}
	OK(chown("f", 1000, 1001));
	EQUALS(1000, stat_of("f").st_uid);
	EQUALS(1001, stat_of("f").st_gid);
	OK(chown("f", -1, 55));
	EQUALS(1000, stat_of("f").st_uid);
	EQUALS(55, stat_of("f").st_gid);
	OK(mkdir("d", 0755));
	OK(chown("d", 0, 77));
	OK(chmod("d", 02775));
	touch("d/f", "");
	EQUALS(77, stat_of("d/f").st_gid);
	OK(mkdir("d/e", 0755));
	EQUALS(77, stat_of("d/e").st_gid);
	CHECK(stat_of("d/e").st_mode & S_ISGID);
}

/* Runs the function as another user, in a child. */
static void as_user(int uid, int gid, void (*body)(void))
{
	fflush(stdout);
	pid_t child = MUST(fork());
	if (child == 0) {
		check_failures = 0;
		MUST(syscall(SYS_setgroups, 0, NULL));
		MUST(setresgid(gid, gid, gid));
		MUST(setresuid(uid, uid, uid));
		body();
		fflush(stdout);
		_exit(check_failures ? 1 : 0);
	}
	int status;
	MUST(waitpid(child, &status, 0));
	if (status != 0)
		check_failures++;
}

static void stranger(void)
{
	FAILS(EACCES, open("private", O_RDONLY));
	FAILS(EACCES, open("public", O_WRONLY));
	CHECK(contains("public", "p"));
	FAILS(EACCES, open("new", O_CREAT | O_RDWR, 0644));
	FAILS(EACCES, unlink("public"));
	FAILS(EACCES, rename("public", "x"));
	FAILS(EACCES, mkdir("x", 0755));
	FAILS(EPERM, chmod("public", 0777));
	FAILS(EPERM, chown("public", 1234, -1));
	FAILS(EACCES, utimensat(AT_FDCWD, "public", NULL, 0));
	FAILS(EACCES, open("closed/f", O_RDONLY));
	FAILS(EPERM, unlink("sticky/theirs"));
	FAILS(EPERM, rename("sticky/theirs", "sticky/mine"));
	FAILS(EACCES, truncate("public", 0));
	FAILS(EPERM, mknod("open/dev", S_IFCHR | 0644, 0x103));
	touch("open/mine", "m");
	EQUALS(1234, stat_of("open/mine").st_uid);
	EQUALS(1234, stat_of("open/mine").st_gid);
	OK(chmod("open/mine", 0600));
	OK(unlink("open/mine"));
}

static void permissions(void)
{
	OK(chmod(".", 0755));
	touch("private", "s");
	OK(chmod("private", 0600));
	touch("public", "p");
	OK(mkdir("closed", 0700));
	touch("closed/f", "");
	OK(mkdir("sticky", 0777));
	OK(chmod("sticky", 01777));
	touch("sticky/theirs", "");
	OK(mkdir("open", 0777));
	OK(chmod("open", 0777));
	as_user(1234, 1234, stranger);
}

static void writes_as_stranger(void)
{
	int fd = MUST(open("write", O_WRONLY));
	OK(pwrite(fd, "x", 1, 0));
	OK(close(fd));
	fd = MUST(open("fchange", O_WRONLY));
	OK(ftruncate(fd, 0));
	OK(close(fd));
	fd = MUST(open("otrunc", O_WRONLY | O_TRUNC));
	OK(close(fd));
	fd = MUST(open("fallocate", O_WRONLY));
	OK(fallocate(fd, 0, 0, 100));
	OK(close(fd));
	fd = MUST(open("mapped", O_RDWR));
	OK(close(fd));
}

static void suid_clearing(void)
{
	const char *names[] = {"write", "fchange", "otrunc", "fallocate", "mapped"};
	for (int i = 0; i < 5; i++) {
		touch(names[i], "x");
		OK(chmod(names[i], 06777));
	}
	as_user(1234, 1234, writes_as_stranger);
	EQUALS(S_IFREG | 0777, stat_of("write").st_mode);
	EQUALS(S_IFREG | 0777, stat_of("fchange").st_mode);
	EQUALS(S_IFREG | 0777, stat_of("otrunc").st_mode);
	EQUALS(S_IFREG | 0777, stat_of("fallocate").st_mode);
	EQUALS(S_IFREG | 06777, stat_of("mapped").st_mode);
	/* root keeps them when it writes; a change of owner clears them, even by root */
	touch("root", "x");
	OK(chmod("root", 06755));
	int fd = MUST(open("root", O_WRONLY));
	OK(write(fd, "y", 1));
	OK(close(fd));
	EQUALS(S_IFREG | 06755, stat_of("root").st_mode);
	OK(chown("root", 5, 5));
	EQUALS(S_IFREG | 0755, stat_of("root").st_mode);
	OK(chmod("root", 02644)); /* setgid without group execute is a lock mark, not a privilege */
	OK(chown("root", 6, 6));
	EQUALS(S_IFREG | 02644, stat_of("root").st_mode);
}

static void extended_attributes(void)
{
	char b[70000], big[65536];
	touch("f", "x");
	OK(setxattr("f", "user.one", "value", 5, XATTR_CREATE));
	FAILS(EEXIST, setxattr("f", "user.one", "v", 1, XATTR_CREATE));
	FAILS(ENODATA, setxattr("f", "user.two", "v", 1, XATTR_REPLACE));
	OK(setxattr("f", "user.one", "VALUE2", 6, XATTR_REPLACE));
	EQUALS(6, OK(getxattr("f", "user.one", b, sizeof b)));
	CHECK(!memcmp(b, "VALUE2", 6));
	EQUALS(6, OK(getxattr("f", "user.one", NULL, 0)));
	FAILS(ERANGE, getxattr("f", "user.one", b, 3));
	FAILS(ENODATA, getxattr("f", "user.two", b, sizeof b));
	OK(setxattr("f", "user.empty", "", 0, 0));
	EQUALS(0, OK(getxattr("f", "user.empty", b, sizeof b)));
	EQUALS(20, OK(listxattr("f", NULL, 0)));
	EQUALS(20, OK(listxattr("f", b, sizeof b)));
	FAILS(ERANGE, listxattr("f", b, 3));
	OK(removexattr("f", "user.one"));
	FAILS(ENODATA, removexattr("f", "user.one"));
	memset(big, 'x', sizeof big);
	OK(setxattr("f", "user.big", big, sizeof big, 0));
	EQUALS(65536, OK(getxattr("f", "user.big", b, sizeof b)));
	CHECK(!memcmp(b, big, sizeof big));
	FAILS(E2BIG, setxattr("f", "user.huge", b, 65537, 0));
	OK(setxattr("f", "trusted.t", "t", 1, 0));
	OK(setxattr("f", "security.s", "s", 1, 0));
	OK(mkdir("d", 0755));
	OK(setxattr("d", "user.dir", "d", 1, 0));
	EQUALS(1, OK(getxattr("d", "user.dir", b, sizeof b)));
	MUST(symlink("f", "l"));
	FAILS(EPERM, lsetxattr("l", "user.x", "x", 1, 0));
	OK(rename("f", "g"));
	EQUALS(65536, OK(getxattr("g", "user.big", b, sizeof b)));
}

static void special_files(void)
{
	OK(mkfifo("fifo", 0640));
	EQUALS(S_IFIFO | 0640, stat_of("fifo").st_mode);
	int r = MUST(open("fifo", O_RDONLY | O_NONBLOCK)), w = MUST(open("fifo", O_WRONLY));
	EQUALS(4, OK(write(w, "pipe", 4)));
	char b[8];
	EQUALS(4, OK(read(r, b, 8)));
	close(r), close(w);
	OK(mknod("null", S_IFCHR | 0666, (1 << 8) | 3));
	EQUALS((1 << 8) | 3, stat_of("null").st_rdev);
	CHECK(S_ISCHR(stat_of("null").st_mode));
	OK(mknod("disk", S_IFBLK | 0600, (8 << 8) | 1));
	CHECK(S_ISBLK(stat_of("disk").st_mode));
	OK(mknod("plain", S_IFREG | 0600, 0));
	CHECK(contains("plain", ""));
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int s = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), c = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(bind(s, (struct sockaddr *)&a, sizeof a));
	OK(listen(s, 1));
	OK(connect(c, (struct sockaddr *)&a, sizeof a));
	CHECK(S_ISSOCK(stat_of("socket").st_mode));
	FAILS(ENXIO, open("socket", O_RDONLY));
	close(s), close(c);
	OK(unlink("socket"));
	OK(unlink("fifo"));
}

/* ---- reading directories ---- */

static void directory_streams(void)
{
	enum { N = 3000 };
	char name[32], seen[N] = {0};
	OK(mkdir("d", 0755));
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof name, "d/%d", i);
		touch(name, "");
	}
	DIR *d = opendir("d");
	CHECK(d != NULL);
	long where[N + 2];
	ino_t inode[N + 2];
	int n = 0, dots = 0;
	struct dirent *e;
	for (where[0] = telldir(d); n < N + 2 && (e = readdir(d)); where[n] = telldir(d)) {
		inode[n++] = e->d_ino;
		if (e->d_name[0] == '.')
			dots++;
		else if (seen[atoi(e->d_name)]++)
			check_fail(__FILE__, __LINE__, "%s listed twice", e->d_name);
		CHECK(e->d_type == (e->d_name[0] == '.' ? DT_DIR : DT_REG));
	}
	EQUALS(N + 2, n);
	EQUALS(2, dots);
	for (int i = 0; i < 200; i++) {
		int at = (i * 7919) % n;
		seekdir(d, where[at]);
		e = readdir(d);
		if (!e || e->d_ino != inode[at]) {
			check_fail(__FILE__, __LINE__, "seekdir to entry %d finds another", at);
			break;
		}
	}
	rewinddir(d);
	for (int i = 0; i < N / 2; i++)
		CHECK(readdir(d) != NULL);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof name, "d/%d", i);
		OK(unlink(name));
	}
	int late = 0;
	while ((e = readdir(d)))
		late++;
	CHECK(late <= N / 2 + 2);
	rewinddir(d);
	n = 0;
	while ((e = readdir(d)))
		n++;
	EQUALS(2, n);
	touch("d/new", "");
	rewinddir(d);
	n = 0;
	while ((e = readdir(d)))
		n += !strcmp(e->d_name, "new");
	EQUALS(1, n);
	closedir(d);
	OK(unlink("d/new"));
	OK(rmdir("d"));
}

static void delete_while_reading(void)
{
	enum { N = 5000 };
	char name[300], seen[N] = {0};
	OK(mkdir("d", 0755));
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof name, "d/entry-%d", i);
		touch(name, "");
	}
	DIR *d = opendir("d");
	struct dirent *e;
	int n = 0;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		int i = atoi(e->d_name + 6);
		CHECK(!seen[i]++);
		n++;
		snprintf(name, sizeof name, "d/%s", e->d_name);
		OK(unlink(name));
	}
	EQUALS(N, n);
	closedir(d);
	OK(rmdir("d"));
}

/* ---- locks, misc ---- */

static void locks(void)
{
	touch("f", "0123456789");
	int one = MUST(open("f", O_RDWR)), two = MUST(open("f", O_RDWR));
	OK(flock(one, LOCK_EX));
	FAILS(EWOULDBLOCK, flock(two, LOCK_EX | LOCK_NB));
	OK(flock(one, LOCK_UN));
	OK(flock(two, LOCK_EX | LOCK_NB));
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3};
	OK(fcntl(one, F_OFD_SETLK, &range));
	FAILS(EAGAIN, fcntl(two, F_OFD_SETLK, &range));
	range.l_start = 6;
	OK(fcntl(two, F_OFD_SETLK, &range));
	close(one), close(two);
}

static void syncing(void)
{
	int fd = make_file("f", "x");
	OK(fsync(fd));
	OK(fdatasync(fd));
	OK(syncfs(fd));
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	OK(close(fd));
	fd = MUST(open("g", O_CREAT | O_RDWR | O_SYNC, 0644));
	EQUALS(3, OK(write(fd, "abc", 3)));
	OK(close(fd));
	fd = MUST(open("g", O_RDWR | O_DSYNC));
	EQUALS(3, OK(write(fd, "def", 3)));
	OK(close(fd));
	CHECK(contains("g", "def"));
}

static void inode_numbers(void)
{
	touch("a", "");
	struct stat st;
	ino_t a = stat_of("a").st_ino;
	OK(mkdir("d", 0755));
	CHECK(stat_of("d").st_ino != a);
	OK(stat("d/.", &st));
	EQUALS(stat_of("d").st_ino, st.st_ino);
	OK(stat("d/..", &st));
	EQUALS(stat_of(".").st_ino, st.st_ino);
	OK(unlink("a"));
	touch("a", "");
	CHECK(stat_of("a").st_ino != a);
	EQUALS(1, stat_of("a").st_nlink);
	CHECK(stat_of("a").st_blksize >= 4096);
}

static void run_from_mount(void)
{
	int out = MUST(open("run", O_CREAT | O_WRONLY, 0755)), in = MUST(open("/bin/true", O_RDONLY));
	char b[65536];
	ssize_t n;
	while ((n = read(in, b, sizeof b)) > 0)
		EQUALS(n, OK(write(out, b, n)));
	close(in), close(out);
	pid_t child = MUST(fork());
	if (child == 0) {
		execl("./run", "true", NULL);
		_exit(99);
	}
	int status;
	MUST(waitpid(child, &status, 0));
	EQUALS(0, status);
	OK(chmod("run", 0644));
	FAILS(EACCES, access("run", X_OK));
}

static const struct {
	const char *name;
	void (*body)(void);
} cases[] = {
	{"open_flags", open_flags},
	{"append", append},
	{"concurrent_append", concurrent_append},
	{"tmpfile_and_link", tmpfile_and_link},
	{"names", names},
	{"directories", directories},
	{"directory_times", directory_times},
	{"renames", renames},
	{"rename_flags", rename_flags},
	{"hard_links", hard_links},
	{"symlinks", symlinks},
	{"unlinked_but_open", unlinked_but_open},
	{"truncation", truncation},
	{"truncate_under_mapping", truncate_under_mapping},
	{"fault_beyond_the_end", fault_beyond_the_end},
	{"holes", holes},
	{"allocation", allocation},
	{"copying", copying},
	{"space", space},
	{"vectors", vectors},
	{"direct", direct},
	{"mapping_and_calls", mapping_and_calls},
	{"times", times},
	{"modes", modes},
	{"permissions", permissions},
	{"suid_clearing", suid_clearing},
	{"extended_attributes", extended_attributes},
	{"special_files", special_files},
	{"directory_streams", directory_streams},
	{"delete_while_reading", delete_while_reading},
	{"locks", locks},
	{"syncing", syncing},
	{"inode_numbers", inode_numbers},
	{"run_from_mount", run_from_mount},
};

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: posix DIR [CASE] | posix --list\n");
		return 2;
	}
	if (!strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			puts(cases[i].name);
		return 0;
	}
	umask(022);
	int ran = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (argc > 2 && strcmp(argv[2], cases[i].name))
			continue;
		check_case = cases[i].name;
		MUST(chdir(argv[1]));
		MUST(mkdir(cases[i].name, 0755));
		MUST(chdir(cases[i].name));
		int before = check_failures;
		cases[i].body();
		ran++;
		if (argc > 2 || check_failures > before)
			printf("%s %s\n", check_failures > before ? "broken" : "ok", cases[i].name);
	}
	printf("%d cases, %d failures\n", ran, check_failures);
	return check_failures || !ran ? 1 : 0;
}
