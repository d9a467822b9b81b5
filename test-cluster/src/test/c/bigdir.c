/*
 * A directory of many entries, listed while every third entry is deleted and as many new ones are made: bigdir DIR ENTRIES.
 * An entry that is there throughout is listed exactly once; a deleted one at most once. Then it is emptied by what it lists.
 */
#include "check.h"
#include <dirent.h>

static unsigned char *seen;
static long entries;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	char name[300];
	if (argc != 3) {
		fprintf(stderr, "usage: bigdir DIR ENTRIES\n");
		return 2;
	}
	check_case = "bigdir";
	entries = atol(argv[2]);
	seen = calloc(1, entries);
	MUST(mkdir(argv[1], 0755));
	MUST(chdir(argv[1]));
	double began = now();
	for (long i = 0; i < entries; i++) {
		snprintf(name, sizeof name, "%ld", i);
		MUST(mknod(name, S_IFREG | 0644, 0));
	}
	printf("created %ld entries in %.1f s\n", entries, now() - began);
	began = now();
	DIR *d = opendir(".");
	struct dirent *e;
	long listed = 0, victim = 0;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || e->d_name[0] == 'n')
			continue;
		long i = atol(e->d_name);
		listed++;
		if (seen[i]++)
			check_fail(__FILE__, __LINE__, "%ld listed twice", i);
		if (listed % 3 == 0 && victim < entries) {
			snprintf(name, sizeof name, "%ld", victim);
			MUST(unlink(name));
			snprintf(name, sizeof name, "new-%ld", victim);
			MUST(mknod(name, S_IFREG | 0644, 0));
			victim += 3;
		}
	}
	closedir(d);
	for (long i = 0; i < entries; i++)
		if (!seen[i] && (i % 3 != 0 || i >= victim)) {
			check_fail(__FILE__, __LINE__, "%ld was there all the time and not listed", i);
			break;
		}
	printf("listed %ld while deleting in %.1f s\n", listed, now() - began);
	began = now();
	d = opendir(".");
	long left = 0;
	while ((e = readdir(d)))
		left += e->d_name[0] != '.';
	EQUALS(entries, left);
	printf("listed %ld in %.1f s\n", left, now() - began);
	began = now();
	rewinddir(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			MUST(unlink(e->d_name));
	closedir(d);
	printf("deleted all in %.1f s\n", now() - began);
	MUST(chdir(".."));
	OK(rmdir(argv[1]));
	return check_failures != 0;
}
