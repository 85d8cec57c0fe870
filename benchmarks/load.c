/* The load: many clients of one server on loopback, in one thread, by epoll.
 *
 *   load port=8000 path=/events clients=1000 events=200      follow event streams
 *   load port=8000 path=/json clients=50 requests=5          ask again and again for 5 seconds
 *
 * An event counts when its data has a "seq": from 0 upwards for each client, so that what is
 * missing, repeated or out of order shows. A "ts" in it (nanoseconds of CLOCK_MONOTONIC) gives the
 * latency. Says what it counted as a line of JSON: "ready" once all are connected, "now" for each
 * byte on standard input, "result" at the end. The end of standard input ends it, too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define BUFFER (256 * 1024)
#define BATCH 1024
#define CONTROL UINT32_MAX
/* Heads and lines longer than this are no part of a benchmark. */
#define LONGEST (1024 * 1024)
/* Of connections that were asked for and not answered yet. */
#define UNDER_WAY 256
/* Latencies are kept in 32 steps for each power of two: within 3 %. */
#define STEPS 32
#define SLOTS (60 * STEPS)

enum state { UNBORN, CONNECTING, IN_HEAD, IN_BODY, GONE };
enum framing { TO_THE_END, BY_LENGTH, IN_CHUNKS };
enum part { SIZE, EXTENSION, DATA, AFTER_DATA, TRAILER };

struct client {
    int fd;
    enum state state;
    enum framing framing;
    enum part part;
    bool answered, complete, done, keep_alive;
    bool has_data, has_number;
    uint64_t left;         /* bytes of the chunk or of the body */
    uint64_t line_size;    /* of the trailer's line */
    uint64_t number, next; /* of the event that is being read, and the one that is due */
    uint64_t stamp;        /* when that event was published */
    uint64_t asked;        /* when the request left */
    uint64_t events;
    char *held;            /* a head or a line whose end has not come yet */
    size_t held_size, held_room;
};

static struct {
    int port;
    const char *path;
    uint32_t clients, channels;
    uint64_t events;
    double requests, limit, quiet, rate;
    bool headless;
} wanted = {.path = "/", .clients = 1, .channels = 1, .limit = 600};

static struct {
    uint64_t opened, sent, connected, failed, closed, done, refused;
    uint64_t events, others, comments, bytes, gaps, missing, repeats, backwards, responses;
    uint64_t first, last, latencies, latency_max;
    double latency_sum;
} seen;

static struct client *clients;
static uint64_t histogram[SLOTS], started, ready_at, progressed;
static uint64_t responses_before;
static int poller;
static char *buffer;
static bool stopped;

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static void give_up(const char *what) {
    perror(what);
    exit(1);
}

/* Latencies */

static void note_latency(uint64_t nanoseconds) {
    uint64_t value = nanoseconds / 1000;
    unsigned shift = 0;
    if (value >= 2 * STEPS)
        shift = 58 - (unsigned)__builtin_clzll(value);
    uint64_t slot = shift * STEPS + (value >> shift);
    histogram[slot < SLOTS ? slot : SLOTS - 1]++;
    seen.latencies++;
    seen.latency_sum += (double)nanoseconds;
    if (nanoseconds > seen.latency_max)
        seen.latency_max = nanoseconds;
}

static double slot_ms(unsigned slot) {
    unsigned shift = slot < 2 * STEPS ? 0 : slot / STEPS - 1;
    double width = (double)(1ull << shift);
    return ((double)(slot - shift * STEPS) + 0.5) * width / 1000;
}

static double quantile_ms(double part) {
    uint64_t rank = (uint64_t)(part * (double)seen.latencies), below = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        below += histogram[slot];
        if (below > rank)
            return slot_ms(slot);
    }
    return (double)seen.latency_max / 1e6;
}

/* What is said */

static double since_start(uint64_t moment) {
    return moment ? (double)(moment - started) / SECOND : 0;
}

static void say(const char *what) {
    uint64_t now = now_ns();
    double mean = seen.latencies ? seen.latency_sum / (double)seen.latencies / 1e6 : 0;
    printf("{\"what\": \"%s\", \"clients\": %u, \"connected\": %lu, \"sent\": %lu, "
           "\"failed\": %lu, \"closed\": %lu, \"done\": %lu, \"refused\": %lu, ",
           what, wanted.clients, seen.connected, seen.sent, seen.failed, seen.closed, seen.done,
           seen.refused);
    printf("\"events\": %lu, \"others\": %lu, \"comments\": %lu, \"bytes\": %lu, \"gaps\": %lu, "
           "\"missing\": %lu, \"repeats\": %lu, \"backwards\": %lu, \"responses\": %lu, ",
           seen.events, seen.others, seen.comments, seen.bytes, seen.gaps, seen.missing,
           seen.repeats, seen.backwards, seen.responses - responses_before);
    printf("\"ready\": %.6f, \"first\": %.6f, \"last\": %.6f, \"now\": %.6f, "
           "\"mean_ms\": %.4f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f}\n",
           since_start(ready_at), since_start(seen.first), since_start(seen.last),
           since_start(now), mean, quantile_ms(0.50), quantile_ms(0.99),
           (double)seen.latency_max / 1e6);
    fflush(stdout);
}

/* Events */

/* Finds a number after its key. All events of a server look alike: `hint` is where it was last. */
static bool find_number(const char *text, size_t size, const char *key, size_t *hint,
                        uint64_t *number) {
    size_t length = strlen(key);
    const char *found = text + *hint, *end = text + size;
    if (*hint + length > size || memcmp(found, key, length) != 0) {
        found = memmem(text, size, key, length);
        if (!found)
            return false;
        *hint = (size_t)(found - text);
    }
    found += length;
    while (found < end && *found == ' ')
        found++;
    if (found == end || !isdigit((unsigned char)*found))
        return false;
    *number = 0;
    while (found < end && isdigit((unsigned char)*found))
        *number = *number * 10 + (uint64_t)(*found++ - '0');
    return true;
}

static void check_order(struct client *client) {
    if (client->number > client->next) {
        seen.gaps++;
        seen.missing += client->number - client->next;
    } else if (client->number + 1 == client->next) {
        seen.repeats++;
    } else if (client->number < client->next) {
        seen.backwards++;
    }
    if (client->number >= client->next)
        client->next = client->number + 1;
}

static void take_event(struct client *client, uint64_t now) {
    if (!client->has_number) {
        seen.others++;
        return;
    }
    check_order(client);
    seen.events++;
    seen.last = now;
    if (!seen.first)
        seen.first = now;
    if (client->stamp)
        note_latency(now > client->stamp ? now - client->stamp : 0);
    if (++client->events == wanted.events) {
        client->done = true;
        seen.done++;
    }
}

static void take_data(struct client *client, const char *text, size_t size) {
    static size_t number_at, stamp_at;
    client->has_data = true;
    if (find_number(text, size, "\"seq\":", &number_at, &client->number))
        client->has_number = true;
    if (!find_number(text, size, "\"ts\":", &stamp_at, &client->stamp))
        client->stamp = 0;
}

static void take_line(struct client *client, const char *text, size_t size, uint64_t now) {
    if (size && text[size - 1] == '\r')
        size--;
    if (!size) {
        if (client->has_data)
            take_event(client, now);
        client->has_data = client->has_number = false;
    } else if (text[0] == ':') {
        seen.comments++;
    } else if (size >= 5 && !memcmp(text, "data:", 5)) {
        take_data(client, text + 5, size - 5);
    }
}

/* Bodies */

static void hold(struct client *client, const char *text, size_t size) {
    if (client->held_size + size > LONGEST) {
        fprintf(stderr, "a line or a head is longer than %d bytes\n", LONGEST);
        exit(1);
    }
    if (client->held_size + size + 1 > client->held_room) {
        client->held_room = 2 * (client->held_size + size) + 64;
        client->held = realloc(client->held, client->held_room);
        if (!client->held)
            give_up("realloc");
    }
    memcpy(client->held + client->held_size, text, size);
    client->held_size += size;
    client->held[client->held_size] = 0;
}

static void let_go(struct client *client) {
    free(client->held);
    client->held = NULL;
    client->held_size = client->held_room = 0;
}

static void take_text(struct client *client, const char *text, size_t size, uint64_t now) {
    const char *end = text + size;
    if (wanted.requests)
        return;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        if (!newline) {
            hold(client, text, (size_t)(end - text));
            return;
        }
        if (client->held_size) {
            hold(client, text, (size_t)(newline - text));
            take_line(client, client->held, client->held_size, now);
            let_go(client);
        } else {
            take_line(client, text, (size_t)(newline - text), now);
        }
        text = newline + 1;
    }
}

static void take_size(struct client *client, char byte) {
    if (byte == '\n')
        client->part = client->left ? DATA : TRAILER;
    else if (client->part == SIZE && isxdigit((unsigned char)byte))
        client->left = client->left * 16 + (uint64_t)(isdigit((unsigned char)byte)
                                                          ? byte - '0'
                                                          : tolower(byte) - 'a' + 10);
    else if (byte != '\r')
        client->part = EXTENSION;
}

static void take_trailer(struct client *client, char byte) {
    if (byte == '\n') {
        client->complete = client->line_size == 0;
        client->line_size = 0;
    } else if (byte != '\r') {
        client->line_size++;
    }
}

static size_t take_counted(struct client *client, const char *text, size_t size, uint64_t now) {
    size_t part = size < client->left ? size : client->left;
    take_text(client, text, part, now);
    client->left -= part;
    return part;
}

static void take_chunks(struct client *client, const char *text, size_t size, uint64_t now) {
    while (size && !client->complete) {
        size_t taken = 1;
        if (client->part == DATA) {
            taken = take_counted(client, text, size, now);
            if (!client->left)
                client->part = AFTER_DATA;
        } else if (client->part == AFTER_DATA) {
            if (*text == '\n')
                client->part = SIZE;
        } else if (client->part == TRAILER) {
            take_trailer(client, *text);
        } else {
            take_size(client, *text);
        }
        text += taken;
        size -= taken;
    }
}

static void take_body(struct client *client, const char *text, size_t size, uint64_t now) {
    if (client->framing == IN_CHUNKS) {
        take_chunks(client, text, size, now);
    } else if (client->framing == BY_LENGTH) {
        take_counted(client, text, size, now);
        client->complete = client->left == 0;
    } else {
        take_text(client, text, size, now);
    }
}

/* Heads */

static void read_head(struct client *client, const char *head) {
    const char *length = strcasestr(head, "\r\ncontent-length:");
    client->complete = client->has_data = client->has_number = false;
    client->keep_alive = !strcasestr(head, "\r\nconnection: close");
    client->framing = TO_THE_END;
    client->part = SIZE;
    client->left = client->line_size = 0;
    if (strcasestr(head, "\r\ntransfer-encoding: chunked")) {
        client->framing = IN_CHUNKS;
    } else if (length) {
        client->framing = BY_LENGTH;
        client->left = strtoull(length + strlen("\r\ncontent-length:"), NULL, 10);
        client->complete = client->left == 0;
    }
    if (strncmp(head, "HTTP/1.1 200", 12) && strncmp(head, "HTTP/1.0 200", 12)) {
        if (!seen.refused)
            fprintf(stderr, "%.300s\n", head);
        seen.refused++;
    }
}

static void take_head(struct client *client, const char *text, size_t size, uint64_t now) {
    hold(client, text, size);
    char *end = memmem(client->held, client->held_size, "\r\n\r\n", 4);
    if (!end)
        return;
    char *head = client->held;
    size_t rest = client->held_size - (size_t)(end + 4 - head);
    end[2] = 0;
    read_head(client, head);
    client->held = NULL;
    client->held_size = client->held_room = 0;
    client->state = IN_BODY;
    if (!client->answered) {
        client->answered = true;
        seen.connected++;
        progressed = now;
    }
    take_body(client, end + 4, rest, now);
    free(head);
}

/* Connections */

static void close_client(struct client *client) {
    close(client->fd);
    client->fd = -1;
    let_go(client);
}

static void lose(struct client *client) {
    close_client(client);
    client->state = GONE;
    if (!client->answered)
        seen.failed++;
    else if (!client->done)
        seen.closed++;
}

static void ask(struct client *client) {
    char request[1024];
    const char *mark = strchr(wanted.path, '*');
    uint32_t channel = (uint32_t)(client - clients) % wanted.channels;
    int stem = mark ? (int)(mark - wanted.path) : (int)strlen(wanted.path);
    char number[16] = "";
    if (mark)
        snprintf(number, sizeof number, "%u", channel);
    int size = snprintf(request, sizeof request,
                        "GET %.*s%s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: %s\r\n\r\n", stem,
                        wanted.path, number, mark ? mark + 1 : "", wanted.port,
                        wanted.requests ? "*/*" : "text/event-stream");
    client->asked = now_ns();
    client->state = IN_HEAD;
    if (send(client->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
        lose(client);
}

static void open_client(struct client *client) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)wanted.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT,
                                .data.u32 = (uint32_t)(client - clients)};
    int on = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        give_up("socket");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->state = CONNECTING;
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        lose(client);
    else if (epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event))
        give_up("epoll_ctl");
}

static void connected(struct client *client) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(client - clients)};
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        lose(client);
        return;
    }
    epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event);
    seen.sent++;
    progressed = now_ns();
    ask(client);
}

/* A request that has its answer is followed by the next one. */
static void answered(struct client *client, uint64_t now) {
    bool reopen = !client->keep_alive;
    seen.responses++;
    note_latency(now - client->asked);
    let_go(client);
    if (reopen) {
        close_client(client);
        open_client(client);
    } else {
        ask(client);
    }
}

static void ended(struct client *client, uint64_t now) {
    bool whole = client->state == IN_BODY && client->framing == TO_THE_END;
    if (wanted.requests && whole) {
        client->keep_alive = false;
        answered(client, now);
    } else {
        lose(client);
    }
}

static void receive(struct client *client) {
    ssize_t size;
    do {
        size = recv(client->fd, buffer, BUFFER, 0);
        uint64_t now = now_ns();
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0) {
            ended(client, now);
            return;
        }
        seen.bytes += (uint64_t)size;
        if (client->state == IN_HEAD)
            take_head(client, buffer, (size_t)size, now);
        else
            take_body(client, buffer, (size_t)size, now);
        if (client->state == IN_BODY && client->complete) {
            if (!wanted.requests)
                lose(client);
            else
                answered(client, now);
            return;
        }
    } while (size == BUFFER);
}

static void serve(struct client *client, uint32_t events) {
    if (client->fd < 0)
        return;
    if (client->state == CONNECTING)
        connected(client);
    else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(client);
}

/* The course of it */

static void open_more(uint64_t now) {
    uint64_t settled = (wanted.headless ? seen.sent : seen.connected) + seen.failed;
    double allowed = (double)wanted.clients;
    if (wanted.rate)
        allowed = since_start(now) * wanted.rate;
    while (seen.opened < wanted.clients && (double)seen.opened < allowed &&
           seen.opened < settled + UNDER_WAY)
        open_client(&clients[seen.opened++]);
}

static bool all_connected(uint64_t now) {
    uint64_t settled = (wanted.headless ? seen.sent : seen.connected) + seen.failed;
    return settled >= wanted.clients || now - progressed > 30 * SECOND;
}

static bool finished(uint64_t now) {
    double age = since_start(now);
    if (stopped || age > wanted.limit || seen.failed + seen.closed + seen.done >= wanted.clients)
        return true;
    if (wanted.requests)
        return ready_at && (double)(now - ready_at) >= wanted.requests * SECOND;
    return wanted.quiet && seen.last && (double)(now - seen.last) >= wanted.quiet * SECOND;
}

static void obey(void) {
    char orders[64];
    ssize_t size = read(STDIN_FILENO, orders, sizeof orders);
    if (size <= 0)
        stopped = true;
    for (ssize_t order = 0; order < size; order++)
        say("now");
}

static void run(void) {
    static struct epoll_event events[BATCH];
    uint64_t now = started;
    while (!finished(now)) {
        if (!ready_at)
            open_more(now);
        int count = epoll_wait(poller, events, BATCH, ready_at ? 50 : 2);
        for (int index = 0; index < count; index++) {
            if (events[index].data.u32 == CONTROL)
                obey();
            else
                serve(&clients[events[index].data.u32], events[index].events);
        }
        now = now_ns();
        if (!ready_at && all_connected(now)) {
            ready_at = progressed;
            responses_before = seen.responses;
            say("ready");
        }
    }
}

static bool option(const char *argument, const char *name, const char **value) {
    size_t size = strlen(name);
    bool same = !strncmp(argument, name, size) && argument[size] == '=';
    if (same)
        *value = argument + size + 1;
    return same;
}

static bool understand(const char *argument) {
    const char *value;
    if (option(argument, "port", &value))
        wanted.port = atoi(value);
    else if (option(argument, "path", &value))
        wanted.path = value;
    else if (option(argument, "clients", &value))
        wanted.clients = (uint32_t)atoi(value);
    else if (option(argument, "channels", &value))
        wanted.channels = (uint32_t)atoi(value);
    else if (option(argument, "events", &value))
        wanted.events = strtoull(value, NULL, 10);
    else if (option(argument, "requests", &value))
        wanted.requests = atof(value);
    else if (option(argument, "limit", &value))
        wanted.limit = atof(value);
    else if (option(argument, "quiet", &value))
        wanted.quiet = atof(value);
    else if (option(argument, "rate", &value))
        wanted.rate = atof(value);
    else if (option(argument, "headless", &value))
        wanted.headless = atoi(value) != 0;
    else
        return false;
    return true;
}

int main(int count, char **arguments) {
    struct epoll_event control = {.events = EPOLLIN, .data.u32 = CONTROL};
    for (int index = 1; index < count; index++) {
        if (!understand(arguments[index])) {
            fprintf(stderr, "not understood: %s\n", arguments[index]);
            return 2;
        }
    }
    if (!wanted.port || !wanted.clients || !wanted.channels) {
        fprintf(stderr, "port, clients and channels are numbers above 0\n");
        return 2;
    }
    clients = calloc(wanted.clients, sizeof *clients);
    buffer = malloc(BUFFER);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!clients || !buffer || poller < 0)
        give_up("start");
    for (uint32_t index = 0; index < wanted.clients; index++)
        clients[index].fd = -1;
    /* A terminal or a pipe can be waited for; with anything else it is not listened to. */
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &control);
    started = progressed = now_ns();
    run();
    say("result");
    return 0;
}
