/*
 * One of several writers that append to one file:
 *
 *   appender FILE JOURNAL WRITER RECORDS LIMIT_MS [sync] [tolerant]
 *
 * Ends after so many records or so long. A record counts as confirmed when write(2) took all of it, with "sync" when fsync(2) succeeded too.
 * Without "tolerant" an error ends the program with status 1; with it the record stays of unknown outcome, and the file is opened anew.
 */
#include "history.h"

#define RETRY_NS 20000000

static const char *path;

static void pause_ns(long ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};
	nanosleep(&t, NULL);
}

/* 0 if there is no way before the deadline. */
static int open_until(uint64_t deadline, int *fd)
{
	while ((*fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644)) < 0) {
		if (now_ns() > deadline)
			return 0;
		pause_ns(RETRY_NS);
	}
	return 1;
}

int main(int argc, char **argv)
{
	check_case = "appender";
	if (argc < 6) {
		fprintf(stderr, "usage: appender FILE JOURNAL WRITER RECORDS LIMIT_MS [sync] [tolerant]\n");
		return 2;
	}
	path = argv[1];
	uint32_t writer = (uint32_t)atol(argv[3]);
	long records = atol(argv[4]);
	uint64_t deadline = now_ns() + strtoull(argv[5], NULL, 10) * 1000000;
	int sync = 0, tolerant = 0, fd = -1;
	for (int i = 6; i < argc; i++) {
		sync |= !strcmp(argv[i], "sync");
		tolerant |= !strcmp(argv[i], "tolerant");
	}
	struct append_journal *journal = append_journal(argv[2], writer, records);
	long confirmed = 0, failed = 0, n;
	for (n = 0; n < records && now_ns() < deadline; n++) {
		struct append_record r;
		append_record(&r, writer, (uint64_t)n);
		if (fd < 0 && (tolerant ? !open_until(deadline, &fd) : (fd = MUST(open(path, O_WRONLY | O_CREAT | O_APPEND, 0644))) < 0))
			break;
		atomic_store(&journal->states[n], APPEND_UNKNOWN);
		ssize_t written = write(fd, &r, r.length);
		if (written == (ssize_t)r.length && (!sync || fsync(fd) == 0)) {
			atomic_store(&journal->states[n], APPEND_CONFIRMED);
			confirmed++;
			continue;
		}
		if (!tolerant) {
			check_fail(__FILE__, __LINE__, "record %ld: wrote %zd of %u: %s", n, written, r.length, strerror(errno));
			return 1;
		}
		failed++;
		close(fd);
		fd = -1;
		pause_ns(RETRY_NS);
	}
	printf("writer %u: %ld tried, %ld confirmed, %ld failed\n", writer, n, confirmed, failed);
	return 0;
}
