/*
 * replay CAPTURE INTERFACE RATE SECONDS: sends the packets of a pcap file, RATE of them a second.
 *
 * The file is mapped and touched before the first packet goes out. Packets go to the interface past
 * queueing disciplines, some at a time; what is due is looked up every 200 microseconds. If the file is
 * shorter than that, it begins again from other hosts: the second bytes of IPv4 addresses are higher
 * then, as copies of the same packets would be less work. Prints one line of JSON: how many were sent,
 * in how many seconds, and how many times the file was gone through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 64
#define LONGEST 65535
/* repeat.py makes files whose copies lie one apart. */
#define SHIFT 37

static void fail(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* The same packet between other hosts, in a round of the file. Checksums of TCP are not made again. */
static void shift(uint8_t *packet, uint32_t length, int round)
{
	uint32_t sum = 0, head;

	if (length < 34 || packet[12] != 8 || packet[13] != 0)
		return;
	head = (packet[14] & 15) * 4;
	if (head < 20 || length < 14 + head)
		return;
	packet[27] += SHIFT * round;
	packet[31] += SHIFT * round;
	packet[24] = packet[25] = 0;
	for (uint32_t i = 14; i < 14 + head; i += 2)
		sum += packet[i] << 8 | packet[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	packet[24] = sum >> 8;
	packet[25] = sum;
}

int main(int count, char **words)
{
	if (count != 5) {
		fprintf(stderr, "usage: replay CAPTURE INTERFACE RATE SECONDS\n");
		return 2;
	}
	int file = open(words[1], O_RDONLY), yes = 1;
	struct stat about;
	if (file < 0 || fstat(file, &about))
		fail(words[1]);
	uint8_t *bytes = mmap(NULL, about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
	if (bytes == MAP_FAILED)
		fail("mmap");
	uint32_t magic;
	memcpy(&magic, bytes, 4);
	if (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d) {
		fprintf(stderr, "replay: %s is no pcap of this machine's byte order\n", words[1]);
		return 1;
	}
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(words[2])};
	/* Without a protocol, the socket receives nothing. */
	int out = socket(AF_PACKET, SOCK_RAW, 0);
	if (out < 0 || !to.sll_ifindex || bind(out, (void *)&to, sizeof to))
		fail(words[2]);
	setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes);
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);

	double rate = atof(words[3]), seconds = atof(words[4]);
	int64_t sent = 0, all = rate * seconds, begin = now();
	off_t at = 24;
	int rounds = 1;
	struct iovec pieces[AT_ONCE];
	struct mmsghdr messages[AT_ONCE];
	uint8_t(*shifted)[LONGEST] = malloc(AT_ONCE * sizeof *shifted);
	if (!shifted)
		fail("malloc");
	memset(messages, 0, sizeof messages);
	for (int i = 0; i < AT_ONCE; i++) {
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < all) {
		int64_t due = (now() - begin) / 1e9 * rate;
		if (due > all)
			due = all;
		if (sent >= due) {
			struct timespec pause = {.tv_nsec = 200000};
			nanosleep(&pause, NULL);
			continue;
		}
		int some = due - sent < AT_ONCE ? due - sent : AT_ONCE;
		for (int i = 0; i < some; i++) {
			uint32_t length;
			if (at + 16 > about.st_size) {
				at = 24;
				rounds++;
			}
			memcpy(&length, bytes + at + 8, 4);
			pieces[i] = (struct iovec){bytes + at + 16, length};
			at += 16 + length;
			if (rounds > 1 && length <= LONGEST) {
				memcpy(shifted[i], pieces[i].iov_base, length);
				shift(shifted[i], length, rounds - 1);
				pieces[i].iov_base = shifted[i];
			}
		}
		for (int done = 0; done < some;) {
			int went = sendmmsg(out, messages + done, some - done, 0);
			if (went < 0) {
				if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)
					continue;
				fail("sendmmsg");
			}
			done += went;
		}
		sent += some;
	}
	printf("{\"sent\": %lld, \"seconds\": %.3f, \"rounds\": %d}\n", (long long)sent, (now() - begin) / 1e9, rounds);
	return 0;
}
