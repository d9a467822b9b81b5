/*
 * File locks between processes: locks DIR OTHER [CASE]. OTHER is the same directory, or the same directory as another node sees it. Each case runs
 * processes that do what this one tells them; half of them work in DIR and half in OTHER. Passes on local filesystems of Linux too.
 *
 * locks hold FILE READY takes a lock of each kind on FILE, makes the file READY and stays; locks take FILE waits for the same locks, and ends.
 */
#include "check.h"
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PATIENCE_MS 20000
#define ARRIVAL_MS 200
#define SLOTS 4
#define WRITERS 8
#define ROUNDS 100

static const char *directories[2];
static char place[2][512];

/* ---- actors: processes that do as told ---- */

enum { OPEN, CLOSE, DUP, LOCK, FLOCK, FORK };

struct command {
	int op, slot, argument, type;
	long start, length;
};

struct answer {
	long result;
	int error;
	struct flock lock;
};

struct actor {
	pid_t pid;
	int socket;
};

static void ignore(int signal)
{
	(void)signal;
}

static long obey(const struct command *c, int *fds, const char *file, struct flock *lock)
{
	switch (c->op) {
	case OPEN:
		return fds[c->slot] = open(file, c->argument);
	case CLOSE:
		return close(fds[c->slot]);
	case DUP:
		return fds[c->argument] = dup(fds[c->slot]);
	case LOCK:
		*lock = (struct flock){.l_type = c->type, .l_whence = SEEK_SET, .l_start = c->start, .l_len = c->length};
		return fcntl(fds[c->slot], c->argument, lock);
	case FLOCK:
		return flock(fds[c->slot], c->argument);
	default: { /* a child with the same descriptors; its end comes with the parent's */
		pid_t child = fork();
		if (child == 0) {
			pause();
			_exit(0);
		}
		return child;
	}
	}
}

static _Noreturn void act(int socket, const char *file)
{
	int fds[SLOTS];
	struct command c;
	struct sigaction breaks = {.sa_handler = ignore}, restarts = {.sa_handler = ignore, .sa_flags = SA_RESTART};
	sigaction(SIGUSR1, &breaks, NULL);
	sigaction(SIGUSR2, &restarts, NULL);
	while (read(socket, &c, sizeof c) == sizeof c) {
		struct answer a = {0};
		errno = 0;
		a.result = obey(&c, fds, file, &a.lock);
		a.error = errno;
		if (write(socket, &a, sizeof a) != sizeof a)
			break;
	}
	_exit(0);
}

static struct actor actor(int where)
{
	int pair[2];
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	struct actor a = {.socket = pair[0]};
	a.pid = MUST(fork());
	if (a.pid == 0) {
		close(pair[0]);
		act(pair[1], place[where]);
	}
	close(pair[1]);
	return a;
}

static void post(struct actor *a, struct command c)
{
	MUST(write(a->socket, &c, sizeof c));
}

static struct flock told;

static long reply(struct actor *a)
{
	struct pollfd p = {.fd = a->socket, .events = POLLIN};
	struct answer answer;
	if (MUST(poll(&p, 1, PATIENCE_MS)) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (MUST(read(a->socket, &answer, sizeof answer)) != sizeof answer) {
		errno = EPIPE;
		return -1;
	}
	told = answer.lock;
	errno = answer.error;
	return answer.result;
}

static long ask(struct actor *a, struct command c)
{
	post(a, c);
	return reply(a);
}

static void opened(struct actor *a, int slot)
{
	MUST(ask(a, (struct command){.op = OPEN, .slot = slot, .argument = O_RDWR}));
}

static struct command lock_command(int slot, int how, int type, long start, long length)
{
	return (struct command){.op = LOCK, .slot = slot, .argument = how, .type = type, .start = start, .length = length};
}

static long lk(struct actor *a, int slot, int how, int type, long start, long length)
{
	return ask(a, lock_command(slot, how, type, start, length));
}

static long fl(struct actor *a, int slot, int how)
{
	return ask(a, (struct command){.op = FLOCK, .slot = slot, .argument = how});
}

static void shut(struct actor *a, int slot)
{
	OK(ask(a, (struct command){.op = CLOSE, .slot = slot}));
}

/* Waits until the actor sleeps in fcntl or flock, and has not answered. Its request may still be on the way to the owner: it gets the time to arrive. */
static void blocked(struct actor *a)
{
	char path[64], line[64];
	snprintf(path, sizeof path, "/proc/%d/syscall", a->pid);
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		FILE *f = fopen(path, "r");
		long call = -1;
		if (f && fgets(line, sizeof line, f) && sscanf(line, "%ld", &call) == 1
		    && (call == SYS_fcntl || call == SYS_flock)) {
			fclose(f);
			usleep(ARRIVAL_MS * 1000);
			struct pollfd p = {.fd = a->socket, .events = POLLIN};
			EQUALS(0, poll(&p, 1, 0));
			return;
		}
		if (f)
			fclose(f);
		usleep(1000);
	}
	CHECK(!"the actor waits for a lock");
}

static void end(struct actor *a)
{
	kill(a->pid, SIGKILL);
	MUST(waitpid(a->pid, NULL, 0));
	close(a->socket);
}

/* ---- POSIX locks ---- */

static void posix_ranges(void)
{
	struct actor a = actor(0), b = actor(1);
	opened(&a, 0), opened(&b, 0);
	OK(lk(&a, 0, F_SETLK, F_WRLCK, 10, 10));
	FAILS(EAGAIN, lk(&b, 0, F_SETLK, F_RDLCK, 19, 1));
	FAILS(EAGAIN, lk(&b, 0, F_SETLK, F_WRLCK, 0, 0));
	OK(lk(&b, 0, F_SETLK, F_WRLCK, 0, 10));
	OK(lk(&b, 0, F_SETLK, F_WRLCK, 20, 0));
	OK(lk(&b, 0, F_GETLK, F_WRLCK, 0, 0));
	EQUALS(F_WRLCK, told.l_type);
	EQUALS(10, told.l_start);
	EQUALS(10, told.l_len);
	EQUALS(directories[0] == directories[1] ? a.pid : 0, told.l_pid);
	OK(lk(&a, 0, F_GETLK, F_RDLCK, 30, 5));
	EQUALS(F_WRLCK, told.l_type);
	EQUALS(20, told.l_start);
	EQUALS(0, told.l_len);
	OK(lk(&a, 0, F_GETLK, F_RDLCK, 10, 10));
	EQUALS(F_UNLCK, told.l_type);
	OK(lk(&a, 0, F_SETLK, F_UNLCK, 13, 2)); /* now 10-12 and 15-19 */
	OK(lk(&b, 0, F_SETLK, F_WRLCK, 13, 2));
	FAILS(EAGAIN, lk(&b, 0, F_SETLK, F_WRLCK, 12, 2));
	FAILS(EAGAIN, lk(&b, 0, F_SETLK, F_WRLCK, 14, 2));
	OK(lk(&a, 0, F_SETLK, F_RDLCK, 15, 5)); /* downgrade */
	OK(lk(&b, 0, F_SETLK, F_RDLCK, 15, 5));
	FAILS(EAGAIN, lk(&a, 0, F_SETLK, F_WRLCK, 15, 1)); /* upgrade */
	OK(lk(&b, 0, F_SETLK, F_UNLCK, 15, 1));
	OK(lk(&a, 0, F_SETLK, F_WRLCK, 15, 1));
	end(&a), end(&b);
}

static void posix_waiting(void)
{
	struct actor a = actor(0), b = actor(1), c = actor(0);
	opened(&a, 0), opened(&b, 0), opened(&c, 0);
	OK(lk(&a, 0, F_SETLK, F_WRLCK, 0, 100));
	post(&b, lock_command(0, F_SETLKW, F_RDLCK, 0, 10));
	post(&c, lock_command(0, F_SETLKW, F_WRLCK, 50, 10));
	blocked(&b), blocked(&c);
	OK(lk(&a, 0, F_SETLK, F_UNLCK, 50, 50));
	OK(reply(&c));
	blocked(&b);
	OK(lk(&a, 0, F_SETLKW, F_RDLCK, 0, 10));
	OK(reply(&b));
	post(&a, lock_command(0, F_SETLKW, F_WRLCK, 0, 60));
	blocked(&a);
	OK(lk(&b, 0, F_SETLK, F_UNLCK, 0, 0));
	blocked(&a);
	OK(lk(&c, 0, F_SETLK, F_UNLCK, 0, 0));
	OK(reply(&a));
	end(&a), end(&b), end(&c);
}

/* Any close of the file by the process ends its locks, also a close of another descriptor. */
static void posix_close(void)
{
	struct actor a = actor(0), b = actor(1);
	opened(&a, 0), opened(&a, 1), opened(&b, 0);
	OK(lk(&a, 0, F_SETLK, F_WRLCK, 0, 0));
	FAILS(EAGAIN, lk(&b, 0, F_SETLK, F_RDLCK, 0, 1));
	shut(&a, 1);
	OK(lk(&b, 0, F_SETLK, F_WRLCK, 0, 1));
	FAILS(EAGAIN, lk(&a, 0, F_SETLK, F_RDLCK, 0, 1));
	MUST(ask(&a, (struct command){.op = OPEN, .slot = 1, .argument = O_RDONLY}));
	OK(lk(&a, 1, F_SETLK, F_RDLCK, 5, 5));
	FAILS(EAGAIN, lk(&b, 0, F_SETLK, F_WRLCK, 5, 5));
	FAILS(EBADF, lk(&a, 1, F_SETLK, F_WRLCK, 20, 5));
	shut(&a, 0);
	OK(lk(&b, 0, F_SETLK, F_WRLCK, 5, 5));
	OK(lk(&a, 1, F_SETLK, F_RDLCK, 20, 5));
	shut(&a, 1);
	OK(lk(&b, 0, F_SETLK, F_WRLCK, 0, 0));
	end(&a), end(&b);
}

/* Locks belong to the process: its child has none, and can neither keep nor end them. */
static void posix_fork(void)
{
	struct actor a = actor(0), b = actor(1);
	opened(&a, 0), opened(&b, 0);
	OK(lk(&a, 0, F_SETLK, F_WRLCK, 0, 10));
	pid_t child = OK(ask(&a, (struct command){.op = FORK}));
	post(&b, lock_command(0, F_SETLKW, F_WRLCK, 0, 10));
	blocked(&b);
	shut(&a, 0);
	OK(reply(&b));
	kill(child, SIGKILL);
	end(&a), end(&b);
}

/* Whoever asks last would close the circle and is refused. Which of them does is not ours to say. */
static void posix_deadlock(void)
{
	struct actor all[3] = {actor(0), actor(1), actor(0)};
	struct pollfd answered[3];
	int refused = 0;
	for (int i = 0; i < 3; i++) {
		opened(&all[i], 0);
		OK(lk(&all[i], 0, F_SETLK, F_WRLCK, i, 1));
		answered[i] = (struct pollfd){.fd = all[i].socket, .events = POLLIN};
	}
	post(&all[0], lock_command(0, F_SETLKW, F_WRLCK, 1, 1));
	blocked(&all[0]);
	post(&all[1], lock_command(0, F_SETLKW, F_RDLCK, 2, 1));
	blocked(&all[1]);
	post(&all[2], lock_command(0, F_SETLKW, F_WRLCK, 0, 1));
	EQUALS(1, poll(answered, 3, PATIENCE_MS));
	while (refused < 2 && !(answered[refused].revents & POLLIN))
		refused++;
	FAILS(EDEADLK, reply(&all[refused]));
	FAILS(EAGAIN, lk(&all[refused], 0, F_SETLK, F_WRLCK, (refused + 1) % 3, 1));
	for (int i = 0; i < 3; i++) {
		struct actor *holder = &all[(refused + 3 - i) % 3];
		if (i > 0)
			OK(reply(holder));
		OK(lk(holder, 0, F_SETLK, F_UNLCK, 0, 0));
	}
	for (int i = 0; i < 3; i++)
		end(&all[i]);
}

static void posix_interrupted(void)
{
	struct actor a = actor(0), b = actor(1), c = actor(0);
	opened(&a, 0), opened(&b, 0), opened(&c, 0);
	OK(lk(&a, 0, F_SETLK, F_RDLCK, 0, 10));
	post(&b, lock_command(0, F_SETLKW, F_WRLCK, 0, 10));
	blocked(&b);
	OK(kill(b.pid, SIGUSR1));
	FAILS(EINTR, reply(&b));
	OK(lk(&c, 0, F_SETLK, F_RDLCK, 0, 10)); /* nothing is left of the wait */
	post(&b, lock_command(0, F_SETLKW, F_WRLCK, 0, 10));
	blocked(&b);
	OK(kill(b.pid, SIGUSR2)); /* with SA_RESTART it goes on */
	blocked(&b);
	OK(lk(&a, 0, F_SETLK, F_UNLCK, 0, 10));
	blocked(&b);
	OK(lk(&c, 0, F_SETLK, F_UNLCK, 0, 10));
	OK(reply(&b));
	FAILS(EAGAIN, lk(&a, 0, F_SETLK, F_RDLCK, 0, 10));
	end(&a), end(&b), end(&c);
}

static void death(void)
{
	struct actor a = actor(0), b = actor(1), c = actor(1), d = actor(0);
	opened(&a, 0), opened(&a, 1), opened(&a, 2), opened(&b, 0), opened(&c, 0), opened(&d, 0);
	OK(lk(&a, 0, F_SETLK, F_WRLCK, 0, 10));
	OK(lk(&a, 1, F_OFD_SETLK, F_WRLCK, 10, 10));
	OK(fl(&a, 2, LOCK_EX));
	post(&b, lock_command(0, F_SETLKW, F_WRLCK, 0, 10));
	post(&c, lock_command(0, F_OFD_SETLKW, F_RDLCK, 10, 10));
	post(&d, (struct command){.op = FLOCK, .argument = LOCK_SH});
	blocked(&b), blocked(&c), blocked(&d);
	end(&a);
	OK(reply(&b));
	OK(reply(&c));
	OK(reply(&d));
	/* Who dies while it waits leaves nothing behind. */
	struct actor e = actor(1);
	opened(&e, 0);
	post(&e, lock_command(0, F_SETLKW, F_WRLCK, 0, 10));
	blocked(&e);
	end(&e);
	OK(lk(&b, 0, F_SETLK, F_UNLCK, 0, 0));
	OK(lk(&d, 0, F_SETLK, F_WRLCK, 0, 10));
	end(&b), end(&c), end(&d);
}

/* ---- open file description locks ---- */

static void description_locks(void)
{
	struct actor a = actor(0), b = actor(1);
	opened(&a, 0), opened(&a, 1), opened(&b, 0);
	OK(lk(&a, 0, F_OFD_SETLK, F_WRLCK, 0, 10));
	FAILS(EAGAIN, lk(&a, 1, F_OFD_SETLK, F_RDLCK, 5, 1)); /* the same process, another description */
	FAILS(EAGAIN, lk(&a, 1, F_SETLK, F_RDLCK, 5, 1));
	FAILS(EAGAIN, lk(&b, 0, F_OFD_SETLK, F_RDLCK, 5, 1));
	OK(lk(&a, 1, F_OFD_SETLK, F_RDLCK, 10, 10));
	OK(lk(&b, 0, F_OFD_SETLK, F_RDLCK, 10, 10));
	post(&b, lock_command(0, F_OFD_SETLKW, F_WRLCK, 5, 10));
	blocked(&b);
	OK(ask(&a, (struct command){.op = DUP, .slot = 0, .argument = 2}));
	shut(&a, 0); /* the description lives on */
	shut(&a, 1);
	blocked(&b);
	FAILS(EAGAIN, lk(&a, 2, F_OFD_SETLK, F_WRLCK, 10, 1));
	OK(lk(&a, 2, F_OFD_SETLK, F_RDLCK, 0, 10));
	blocked(&b);
	shut(&a, 2);
	OK(reply(&b));
	end(&a), end(&b);
}

/* A circle of descriptions is no deadlock: here one of them goes away with its process. */
static void description_circle(void)
{
	struct actor a = actor(0), b = actor(1);
	opened(&a, 0), opened(&b, 0);
	OK(lk(&a, 0, F_OFD_SETLK, F_WRLCK, 0, 1));
	OK(lk(&b, 0, F_OFD_SETLK, F_WRLCK, 1, 1));
	post(&a, lock_command(0, F_OFD_SETLKW, F_WRLCK, 1, 1));
	blocked(&a);
	post(&b, lock_command(0, F_OFD_SETLKW, F_WRLCK, 0, 1));
	blocked(&b);
	end(&a);
	OK(reply(&b));
	end(&b);
}

/* ---- flock ---- */

static void flock_modes(void)
{
	struct actor a = actor(0), b = actor(1);
	opened(&a, 0), opened(&a, 1), opened(&b, 0);
	OK(fl(&a, 0, LOCK_SH));
	OK(fl(&b, 0, LOCK_SH | LOCK_NB));
	FAILS(EWOULDBLOCK, fl(&a, 1, LOCK_EX | LOCK_NB));
	OK(fl(&b, 0, LOCK_UN));
	OK(fl(&a, 0, LOCK_EX | LOCK_NB));
	FAILS(EWOULDBLOCK, fl(&a, 1, LOCK_SH | LOCK_NB)); /* the same process, another description */
	FAILS(EWOULDBLOCK, fl(&b, 0, LOCK_SH | LOCK_NB));
	OK(lk(&b, 0, F_SETLK, F_WRLCK, 0, 0)); /* POSIX locks are another matter */
	post(&b, (struct command){.op = FLOCK, .argument = LOCK_EX});
	blocked(&b);
	OK(fl(&a, 0, LOCK_SH));
	blocked(&b);
	OK(fl(&a, 0, LOCK_UN));
	OK(reply(&b));
	FAILS(EWOULDBLOCK, fl(&a, 0, LOCK_SH | LOCK_NB));
	post(&a, (struct command){.op = FLOCK, .argument = LOCK_SH});
	blocked(&a);
	OK(kill(a.pid, SIGUSR1));
	FAILS(EINTR, reply(&a));
	OK(fl(&b, 0, LOCK_UN));
	OK(fl(&a, 0, LOCK_EX | LOCK_NB));
	end(&a), end(&b);
}

/* A lock lives as long as the description, whoever has it. */
static void flock_close(void)
{
	struct actor a = actor(0), b = actor(1);
	opened(&a, 0), opened(&a, 1), opened(&b, 0);
	OK(fl(&a, 0, LOCK_EX));
	pid_t child = OK(ask(&a, (struct command){.op = FORK}));
	shut(&a, 1);
	post(&b, (struct command){.op = FLOCK, .argument = LOCK_EX});
	blocked(&b);
	shut(&a, 0);
	blocked(&b);
	OK(kill(child, SIGKILL));
	OK(reply(&b));
	end(&a), end(&b);
}

/* ---- many at once ---- */

static void count_up(int where, int how)
{
	int fd = MUST(open(place[where], O_RDWR));
	for (int i = 0; i < ROUNDS; i++) {
		struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		MUST(how == FLOCK ? flock(fd, LOCK_EX) : fcntl(fd, F_SETLKW, &whole));
		long n = 0;
		MUST(pread(fd, &n, sizeof n, 0));
		n++;
		MUST(pwrite(fd, &n, sizeof n, 0));
		whole.l_type = F_UNLCK;
		MUST(how == FLOCK ? flock(fd, LOCK_UN) : fcntl(fd, F_SETLK, &whole));
	}
	_exit(0);
}

static void counting(int how)
{
	for (int i = 0; i < WRITERS; i++) {
		if (MUST(fork()) == 0)
			count_up(i % 2, how);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;
		MUST(wait(&status));
		EQUALS(0, status);
	}
	long n = 0;
	int fd = MUST(open(place[0], O_RDONLY));
	MUST(pread(fd, &n, sizeof n, 0));
	EQUALS(WRITERS * ROUNDS, n);
	close(fd);
}

static void posix_counting(void)
{
	counting(LOCK);
}

static void flock_counting(void)
{
	counting(FLOCK);
}

static const struct {
	const char *name;
	void (*body)(void);
} cases[] = {
	{"posix_ranges", posix_ranges},
	{"posix_waiting", posix_waiting},
	{"posix_close", posix_close},
	{"posix_fork", posix_fork},
	{"posix_deadlock", posix_deadlock},
	{"posix_interrupted", posix_interrupted},
	{"death", death},
	{"description_locks", description_locks},
	{"description_circle", description_circle},
	{"flock_modes", flock_modes},
	{"flock_close", flock_close},
	{"posix_counting", posix_counting},
	{"flock_counting", flock_counting},
};

/* POSIX and open file description locks conflict, so each has a byte of its own. */
static void take(const char *file)
{
	int fd = MUST(open(file, O_RDWR));
	struct flock posix = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	struct flock description = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
	MUST(fcntl(fd, F_SETLKW, &posix));
	MUST(fcntl(fd, F_OFD_SETLKW, &description));
	MUST(flock(fd, LOCK_EX));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "hold")) {
		take(argv[2]);
		touch(argv[3], "");
		pause();
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "take")) {
		take(argv[2]);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			puts(cases[i].name);
		return 0;
	}
	if (argc < 3) {
		fprintf(stderr, "usage: locks DIR OTHER [CASE] | hold FILE READY | take FILE | --list\n");
		return 2;
	}
	directories[0] = argv[1];
	directories[1] = strcmp(argv[1], argv[2]) ? argv[2] : argv[1];
	int ran = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (argc > 3 && strcmp(argv[3], cases[i].name))
			continue;
		check_case = cases[i].name;
		for (int where = 0; where < 2; where++)
			snprintf(place[where], sizeof place[where], "%s/%s", directories[where], cases[i].name);
		touch(place[0], "");
		cases[i].body();
		ran++;
	}
	printf("%d cases, %d failures\n", ran, check_failures);
	return check_failures || !ran ? 1 : 0;
}
