/* Many WebSockets in one process: each signs in with a token of its own, subscribes to its workspace, and notes when
 * each alert came. So lean that what is measured is the server.
 *
 *     client PORT COUNT AT_ONCE MUTE TOKENS CONNECTS < commands
 *
 * TOKENS has a token a line. AT_ONCE connections are under way at a time. The first MUTE sockets read nothing once they
 * are subscribed, and have as small a receive buffer as the kernel grants. Times are CLOCK_MONOTONIC's nanoseconds.
 *
 * Says                                  when
 *     open                              all are subscribed; CONNECTS has three u64 each: begun, upgraded, subscribed
 *     got OFFSET                        all that read have this alert
 *     {"doubled":…}                     to `report FILE`; FILE has COUNT u64 for each watched alert, 0 where it is missing
 *     failed: …                         it is of no use any more, and ends
 * Is told
 *     watch FIRST ALERTS                alerts of the offsets from FIRST on are to be noted, those before no more
 *     unmute                            the first MUTE sockets read from now on, into a buffer of the usual size
 *     report FILE
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
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum state { CONNECTING, UPGRADING, SUBSCRIBING, READY, GONE };
enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };
static const uint32_t COMMANDS = UINT32_MAX;

typedef struct {
    int fd;
    enum state state;
    uint8_t *rest; /* the beginning of a frame whose end has not come yet */
    size_t resting;
    int64_t last;
} Socket;

static const char SUBSCRIBE[] = "{\"type\":\"subscribe\"}", ALERT[] = "{\"type\":\"alert\"", OFFSET[] = "\"offset\":";

static Socket *sockets;
static char **tokens;
static uint64_t *connects, *arrivals;
static uint32_t count, mute, next, ready, *missing;
static uint64_t first, alerts, bytes;
static unsigned doubled, disordered, lost, codes[5000];
static int port, events;
static uint8_t buffer[1 << 18];

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what, const char *why) {
    printf("failed: %s: %.300s\n", what, why);
    fflush(stdout);
    exit(1);
}

static void follow(uint32_t i, int operation, uint32_t what) {
    struct epoll_event event = {.events = what, .data.u32 = i};
    if (epoll_ctl(events, operation, sockets[i].fd, &event)) fail("epoll", strerror(errno));
}

static void write_file(const char *path, const uint64_t *values, size_t number) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(values, sizeof *values, number, file) != number || fclose(file)) fail(path, strerror(errno));
}

static void begin(uint32_t i) {
    Socket *s = &sockets[i];
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s->fd < 0) fail("socket", strerror(errno));
    int one = 1, small = 1;
    struct linger reset = {1, 0}; /* no port is kept busy by what is over */
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (i < mute) setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connects[3 * i] = now();
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) fail("connect", strerror(errno));
    follow(i, EPOLL_CTL_ADD, EPOLLOUT);
}

static void upgrade(uint32_t i) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(sockets[i].fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) fail("connect", strerror(error));
    char request[4096];
    int length = snprintf(request, sizeof request,
                          "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                          "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
                          "Authorization: Bearer %s\r\n\r\n", port, tokens[i]);
    if (send(sockets[i].fd, request, (size_t)length, MSG_NOSIGNAL) != length) fail("request", strerror(errno));
    sockets[i].state = UPGRADING;
    follow(i, EPOLL_CTL_MOD, EPOLLIN);
}

/* Masked with zeros, which leaves the payload as it is; at most 125 bytes. */
static void answer(uint32_t i, int opcode, const uint8_t *payload, size_t length) {
    uint8_t frame[131] = {(uint8_t)(0x80 | opcode), (uint8_t)(0x80 | length), 0, 0, 0, 0};
    memcpy(frame + 6, payload, length);
    if (send(sockets[i].fd, frame, 6 + length, MSG_NOSIGNAL) < 0 && errno == EAGAIN) fail("send", strerror(errno));
}

static void subscribed(uint32_t i, uint64_t at) {
    sockets[i].state = READY;
    connects[3 * i + 2] = at;
    if (i < mute) epoll_ctl(events, EPOLL_CTL_DEL, sockets[i].fd, NULL);
    if (next < count) begin(next++);
    ready++;
}

static void alert(uint32_t i, uint64_t offset, uint64_t at) {
    if (offset < first || offset - first >= alerts) return;
    uint64_t k = offset - first, *place = &arrivals[k * count + i];
    if (*place) { doubled++; return; }
    *place = at;
    if ((int64_t)offset < sockets[i].last) disordered++;
    sockets[i].last = (int64_t)offset;
    if (i >= mute && --missing[k] == 0) printf("got %llu\n", (unsigned long long)offset);
}

static const char *close_reason(const uint8_t *payload, size_t length) {
    static char reason[160];
    int code = length >= 2 ? payload[0] << 8 | payload[1] : 1005;
    snprintf(reason, sizeof reason, "%d %.*s", code, length > 2 ? (int)length - 2 : 0, (const char *)payload + 2);
    return reason;
}

static void frame(uint32_t i, int opcode, const uint8_t *payload, size_t length, uint64_t at) {
    if (opcode == PING) answer(i, PONG, payload, length);
    if (opcode == CLOSE && sockets[i].state != READY) fail("closed before it was subscribed", close_reason(payload, length));
    if (opcode == CLOSE && length >= 2) codes[((payload[0] << 8) | payload[1]) % 5000]++;
    if (opcode != TEXT) return;
    if (sockets[i].state == SUBSCRIBING && memmem(payload, length, "\"subscribed\"", 12)) subscribed(i, at);
    if (length < 80 || memcmp(payload, ALERT, sizeof ALERT - 1)) return;
    const uint8_t *found = memmem(payload, 80, OFFSET, sizeof OFFSET - 1);
    if (found) alert(i, strtoull((const char *)found + sizeof OFFSET - 1, NULL, 10), at);
}

/* Bytes of complete frames; what is left is the beginning of another one. */
static size_t frames(uint32_t i, const uint8_t *data, size_t length, uint64_t at) {
    size_t done = 0;
    while (length - done >= 2) {
        const uint8_t *head = data + done;
        size_t size = head[1] & 127, header = size == 126 ? 4 : size == 127 ? 10 : 2;
        if (length - done < header) break;
        if (header > 2) { size = 0; for (size_t n = 2; n < header; n++) size = size << 8 | head[n]; }
        if (length - done < header + size) break;
        frame(i, head[0] & 15, head + header, size, at);
        done += header + size;
    }
    return done;
}

static size_t upgraded(uint32_t i, const uint8_t *data, size_t length, uint64_t at) {
    const uint8_t *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(data, "HTTP/1.1 101", 12)) fail("not upgraded", (const char *)data);
    sockets[i].state = SUBSCRIBING;
    connects[3 * i + 1] = at;
    answer(i, TEXT, (const uint8_t *)SUBSCRIBE, sizeof SUBSCRIBE - 1);
    return (size_t)(end + 4 - data);
}

static void receive(uint32_t i) {
    Socket *s = &sockets[i];
    if (s->resting) memcpy(buffer, s->rest, s->resting);
    ssize_t got = recv(s->fd, buffer + s->resting, sizeof buffer - s->resting - 1, 0);
    uint64_t at = now();
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        if (s->state != READY) fail("closed before it was subscribed", got ? strerror(errno) : "end of file");
        s->state = GONE;
        lost++;
        close(s->fd);
        return;
    }
    bytes += (uint64_t)got;
    size_t length = s->resting + (size_t)got, done = 0;
    buffer[length] = 0;
    if (s->state == UPGRADING) done = upgraded(i, buffer, length, at);
    if (s->state != UPGRADING) done += frames(i, buffer + done, length - done, at);
    s->resting = length - done;
    free(s->rest);
    s->rest = s->resting ? memcpy(malloc(s->resting), buffer + done, s->resting) : NULL;
}

static void report(const char *path) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    write_file(path, arrivals, alerts * count);
    printf("{\"doubled\":%u,\"disordered\":%u,\"lost\":%u,\"bytes\":%llu,\"closed\":{", doubled, disordered, lost,
           (unsigned long long)bytes);
    for (unsigned code = 1000, any = 0; code < 5000; code++)
        if (codes[code]) printf("%s\"%u\":%u", any++ ? "," : "", code, codes[code]);
    puts("}}");
}

static void command(void) {
    static char line[4096];
    char path[4000];
    unsigned long long from, number;
    if (!fgets(line, sizeof line, stdin)) exit(0);
    if (sscanf(line, "watch %llu %llu", &from, &number) == 2) {
        free(arrivals), free(missing);
        first = from, alerts = number;
        arrivals = calloc(alerts * count, sizeof *arrivals);
        missing = calloc(alerts, sizeof *missing);
        for (uint64_t k = 0; k < alerts; k++) missing[k] = count - mute;
        puts("watching");
    } else if (!strncmp(line, "unmute", 6)) {
        int large = 1 << 20;
        for (uint32_t i = 0; i < mute; i++) {
            setsockopt(sockets[i].fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
            follow(i, EPOLL_CTL_ADD, EPOLLIN);
        }
        puts("unmuted");
    } else if (sscanf(line, "report %3999[^\n]", path) == 1) {
        report(path);
    } else {
        fail("no command", line);
    }
}

int main(int argc, char **argv) {
    if (argc != 7) fail("usage", "client PORT COUNT AT_ONCE MUTE TOKENS CONNECTS");
    port = atoi(argv[1]), count = (uint32_t)atoi(argv[2]), mute = (uint32_t)atoi(argv[4]);
    uint32_t at_once = (uint32_t)atoi(argv[3]);
    sockets = calloc(count, sizeof *sockets), tokens = calloc(count, sizeof *tokens);
    connects = calloc(3 * (size_t)count, sizeof *connects);
    FILE *file = fopen(argv[5], "r");
    if (!file) fail(argv[5], strerror(errno));
    for (uint32_t i = 0; i < count; i++) {
        size_t size = 0;
        ssize_t length = getline(&tokens[i], &size, file);
        if (length < 2) fail(argv[5], "too few tokens");
        tokens[i][strcspn(tokens[i], "\n")] = 0;
        sockets[i].last = -1;
    }
    fclose(file);
    setvbuf(stdin, NULL, _IONBF, 0); /* what is read must not hide from epoll */
    events = epoll_create1(0);
    struct epoll_event commands = {.events = EPOLLIN, .data.u32 = COMMANDS}, found[512];
    if (epoll_ctl(events, EPOLL_CTL_ADD, 0, &commands)) fail("epoll", strerror(errno));
    while (next < count && next < at_once) begin(next++);
    for (int told = 0;;) {
        int number = epoll_wait(events, found, 512, 20000);
        if (number == 0 && ready < count) fail("too slow", "nothing came for 20 s and not all are subscribed");
        for (int n = 0; n < number; n++) {
            uint32_t i = found[n].data.u32;
            if (i == COMMANDS) command();
            else if (sockets[i].state == CONNECTING) upgrade(i);
            else receive(i);
        }
        if (!told && ready == count) {
            told = 1;
            write_file(argv[6], connects, 3 * (size_t)count);
            puts("open");
        }
        fflush(stdout);
    }
}
