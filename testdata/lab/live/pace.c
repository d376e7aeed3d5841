/*
 * pace HOST PORT PATH RATE SECONDS CONNECTIONS: asks an HTTP server RATE times a second, in an open loop.
 *
 * Requests become due at even distances, whether earlier ones were answered or not, and go out on the
 * first connection that is free. A response counts from the moment at which its request was due, so that
 * a server or a machine that stands still is seen in the figures. Prints one line of JSON: how many were
 * due and answered, and the latency in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct connection {
	int socket;
	int64_t due; /* of the request that is open, or 0 */
	size_t have;
	char answer[16384];
};

static void fail(const char *what)
{
	fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int ascending(const void *one, const void *other)
{
	int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
	return (a > b) - (a < b);
}

/* Bytes of the response that begins the answer, or 0 while some are missing. */
static size_t complete(struct connection *at)
{
	char *end, *length;
	size_t all;

	at->answer[at->have] = 0;
	end = strstr(at->answer, "\r\n\r\n");
	if (!end)
		return 0;
	length = strcasestr(at->answer, "content-length:");
	if (!length || length > end)
		fail("a response has no length");
	all = end + 4 - at->answer + strtoul(length + 15, NULL, 10);
	if (all >= sizeof at->answer)
		fail("a response is too long");
	return at->have >= all ? all : 0;
}

int main(int count, char **words)
{
	if (count != 7) {
		fprintf(stderr, "usage: pace HOST PORT PATH RATE SECONDS CONNECTIONS\n");
		return 2;
	}
	double rate = atof(words[4]);
	int64_t asks = rate * atof(words[5]), due = 0, answered = 0;
	int connections = atoi(words[6]), free_count = 0, yes = 1;
	struct connection *all = calloc(connections, sizeof *all), **free_ones = calloc(connections, sizeof *free_ones);
	int64_t *latency = calloc(asks + 1, sizeof *latency);
	char request[512];
	int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: lab.example\r\n\r\n", words[3]);
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
	int poll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN};

	if (!all || !free_ones || !latency || inet_pton(AF_INET, words[1], &server.sin_addr) != 1)
		fail("arguments");
	/* The default of 50 us would be added to each latency. */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	for (int i = 0; i < connections; i++) {
		all[i].socket = socket(AF_INET, SOCK_STREAM, 0);
		if (all[i].socket < 0 || connect(all[i].socket, (void *)&server, sizeof server))
			fail("connect");
		setsockopt(all[i].socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
		event.data.ptr = &all[i];
		epoll_ctl(poll, EPOLL_CTL_ADD, all[i].socket, &event);
		free_ones[free_count++] = &all[i];
	}
	event.data.ptr = NULL;
	epoll_ctl(poll, EPOLL_CTL_ADD, timer, &event);

	int64_t begin = now() + 1000000, last = begin + asks * 1e9 / rate;
	while (answered < asks && now() < last + 5000000000LL) {
		int64_t next = begin + due * 1e9 / rate;
		while (free_count && due < asks && next <= now()) {
			struct connection *at = free_ones[--free_count];
			at->due = next;
			at->have = 0;
			if (write(at->socket, request, length) != length)
				fail("write");
			due++;
			next = begin + due * 1e9 / rate;
		}
		/* Without a free connection, an answer wakes, and no timer. */
		struct itimerspec wake = {0};
		if (free_count && due < asks) {
			wake.it_value.tv_sec = next / 1000000000LL;
			wake.it_value.tv_nsec = next % 1000000000LL;
		}
		timerfd_settime(timer, TFD_TIMER_ABSTIME, &wake, NULL);
		struct epoll_event events[64];
		int ready = epoll_wait(poll, events, 64, 1000);
		for (int i = 0; i < ready; i++) {
			struct connection *at = events[i].data.ptr;
			if (!at)
				continue;
			ssize_t got = read(at->socket, at->answer + at->have, sizeof at->answer - 1 - at->have);
			if (got <= 0)
				fail("read");
			at->have += got;
			if (complete(at)) {
				latency[answered++] = now() - at->due;
				free_ones[free_count++] = at;
			}
		}
	}
	double seconds = (now() - begin) / 1e9;
	qsort(latency, answered, sizeof *latency, ascending);
	if (!answered)
		fail("nothing was answered");
	printf("{\"due\": %lld, \"answered\": %lld, \"a_second\": %.0f, \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"longest\": %.1f}\n",
	       (long long)asks, (long long)answered, answered / seconds, latency[answered / 2] / 1e3,
	       latency[answered * 99 / 100] / 1e3, latency[answered * 999 / 1000] / 1e3, latency[answered - 1] / 1e3);
	return 0;
}
