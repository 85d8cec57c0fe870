/* The floor: what the kernel asks for, and next to nothing on top of it.
 *
 *   floor PORT
 *
 * One thread, one epoll, one non-blocking send for each client and event. Of HTTP it knows no more
 * than the path. A channel is a row of clients. What a full socket does not take waits in a copy of
 * its own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define BATCH 1024
#define CHANNELS 64
#define PADDING "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define STREAM                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"            \
    "Connection: close\r\n\r\n:\n"

struct client {
    int fd;
    struct channel *channel;            /* that it has subscribed to */
    size_t place;                       /* among its subscribers */
    char *waiting;                      /* what its socket had no room for */
    size_t waiting_from, waiting_to, waiting_room;
    uint64_t stream_next, stream_count; /* events of a stream of its own */
    char request[2048];
    size_t request_size;
};

struct channel {
    struct client **subscribers;
    size_t count, room;
};

static struct client *listener, *publisher;
static struct channel channels[CHANNELS];
/* A series of events: each is published on every channel, spread over its time or at once. */
static uint64_t publish_next, publish_count, publish_started, publish_channels;
static double publish_rate, publish_spread;
static uint64_t heartbeat, heartbeat_due;
static int poller;

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static void *checked(void *memory) {
    if (!memory) {
        perror("memory");
        exit(1);
    }
    return memory;
}

static void watch(struct client *client, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    epoll_ctl(poller, operation, client->fd, &event);
}

/* Sending */

static void keep(struct client *client, const char *bytes, size_t size) {
    if (client->waiting_to + size > client->waiting_room) {
        client->waiting_room = 2 * (client->waiting_to + size);
        client->waiting = checked(realloc(client->waiting, client->waiting_room));
    }
    memcpy(client->waiting + client->waiting_to, bytes, size);
    client->waiting_to += size;
}

/* A send that fails for good is told by epoll, where the client is dropped. */
static void deliver(struct client *client, const char *bytes, size_t size) {
    if (!client->waiting_to) {
        ssize_t sent = send(client->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent == (ssize_t)size || (sent < 0 && errno != EAGAIN))
            return;
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
        watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    keep(client, bytes, size);
}

static void send_waiting(struct client *client) {
    size_t size = client->waiting_to - client->waiting_from;
    ssize_t sent = send(client->fd, client->waiting + client->waiting_from, size,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        client->waiting_from += (size_t)sent;
    if (client->waiting_from == client->waiting_to) {
        client->waiting_from = client->waiting_to = 0;
        watch(client, EPOLL_CTL_MOD, EPOLLIN);
    }
}

static void answer(struct client *client, const char *body) {
    char text[512];
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        strlen(body), body);
    deliver(client, text, (size_t)size);
}

/* Clients */

static void drop(struct client *client) {
    struct channel *channel = client->channel;
    if (channel) {
        channel->subscribers[client->place] = channel->subscribers[--channel->count];
        channel->subscribers[client->place]->place = client->place;
    }
    if (client == publisher)
        publisher = NULL;
    close(client->fd);
    free(client->waiting);
    free(client);
}

static void subscribe(struct client *client, struct channel *channel) {
    if (client->channel)
        return;
    if (channel->count == channel->room) {
        channel->room = 2 * channel->room + 64;
        channel->subscribers =
            checked(realloc(channel->subscribers, channel->room * sizeof *channel->subscribers));
    }
    client->channel = channel;
    client->place = channel->count;
    channel->subscribers[channel->count++] = client;
    deliver(client, STREAM, strlen(STREAM));
}

static void accept_clients(void) {
    int on = 1, fd;
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = checked(calloc(1, sizeof *client));
        client->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(client, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* A stream of its own: as far as the socket takes it, and on from there. */
static bool go_on(struct client *client) {
    char text[128];
    while (client->stream_next < client->stream_count && !client->waiting_to) {
        int size = snprintf(text, sizeof text, "data: {\"seq\":%lu,\"pad\":\"%.20s\"}\n\n",
                            client->stream_next++, PADDING);
        deliver(client, text, (size_t)size);
    }
    return client->stream_next < client->stream_count || client->waiting_to;
}

/* Publishing */

static uint64_t publish_due(void) {
    if (!publish_rate)
        return 0;
    uint64_t number = publish_next / publish_channels, channel = publish_next % publish_channels;
    double turn = (double)number + publish_spread * (double)channel / (double)publish_channels;
    return publish_started + (uint64_t)(turn / publish_rate * SECOND);
}

static void send_to(const struct channel *channel, const char *bytes, size_t size) {
    for (size_t index = 0; index < channel->count; index++)
        deliver(channel->subscribers[index], bytes, size);
}

static void publish_one(uint64_t now) {
    char text[256];
    int size = snprintf(text, sizeof text, "data: {\"seq\":%lu,\"ts\":%lu,\"pad\":\"%s\"}\n\n",
                        publish_next / publish_channels, now, PADDING);
    send_to(&channels[publish_next++ % publish_channels], text, (size_t)size);
    if (publish_next == publish_count && publisher) {
        answer(publisher, "{}");
        publisher = NULL;
    }
}

static void beat(uint64_t now) {
    heartbeat_due = now + heartbeat;
    for (size_t index = 0; index < CHANNELS; index++)
        send_to(&channels[index], ":\n", 2);
}

/* Requests */

static double parameter(const char *path, const char *name, double otherwise) {
    const char *found = strstr(path, name);
    return found ? atof(found + strlen(name)) : otherwise;
}

static size_t subscriber_count(void) {
    size_t count = 0;
    for (size_t index = 0; index < CHANNELS; index++)
        count += channels[index].count;
    return count;
}

static bool obey(struct client *client, const char *path) {
    char body[64];
    if (!strncmp(path, "/events", 7)) {
        subscribe(client, &channels[(size_t)parameter(path, "channel=", 0) % CHANNELS]);
    } else if (!strncmp(path, "/publish", 8)) {
        publish_channels = (uint64_t)parameter(path, "channels=", 1) % (CHANNELS + 1);
        publish_channels += !publish_channels;
        publish_count = (uint64_t)parameter(path, "count=", 0) * publish_channels;
        publish_rate = parameter(path, "rate=", 0);
        publish_spread = parameter(path, "spread=", 1);
        publish_next = 0;
        publish_started = now_ns();
        publisher = client;
    } else if (!strncmp(path, "/stream", 7)) {
        client->stream_count = (uint64_t)parameter(path, "count=", 0);
        deliver(client, STREAM, strlen(STREAM));
        return go_on(client);
    } else if (!strncmp(path, "/subscribers", 12)) {
        snprintf(body, sizeof body, "{\"subscribers\":%zu}", subscriber_count());
        answer(client, body);
    } else {
        answer(client, "{\"hello\":\"world\"}");
    }
    return true;
}

/* What these two return is whether the client stays. */

static bool receive(struct client *client) {
    size_t room = sizeof client->request - 1 - client->request_size;
    ssize_t size = recv(client->fd, client->request + client->request_size, room, 0);
    if (size < 0 && errno == EAGAIN)
        return true;
    if (size <= 0)
        return false;
    client->request_size += (size_t)size;
    client->request[client->request_size] = 0;
    if (!strstr(client->request, "\r\n\r\n"))
        return client->request_size < sizeof client->request - 1;
    client->request_size = 0;
    if (strncmp(client->request, "GET ", 4))
        return false;
    client->request[strcspn(client->request, "\r")] = 0;
    return obey(client, client->request + 4);
}

static bool serve(struct client *client, uint32_t events) {
    if (events & EPOLLOUT && client->waiting_to)
        send_waiting(client);
    if (client->stream_count && !go_on(client))
        return false;
    return !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || receive(client);
}

/* The loop */

static int time_left(uint64_t now) {
    uint64_t due = heartbeat ? heartbeat_due : now + SECOND;
    if (publish_next < publish_count && publish_due() < due)
        due = publish_due();
    return due <= now ? 0 : (int)((due - now + 999999) / 1000000);
}

static void turn(void) {
    static struct epoll_event events[BATCH];
    int count = epoll_wait(poller, events, BATCH, time_left(now_ns()));
    for (int index = 0; index < count; index++) {
        struct client *client = events[index].data.ptr;
        if (client == listener)
            accept_clients();
        else if (!serve(client, events[index].events))
            drop(client);
    }
    uint64_t now = now_ns();
    for (uint64_t some = publish_channels; some-- && publish_next < publish_count;)
        if (now >= publish_due())
            publish_one(now);
    if (heartbeat && now >= heartbeat_due)
        beat(now);
}

static void listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    listener = checked(calloc(1, sizeof *listener));
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener->fd, (struct sockaddr *)&address, sizeof address) ||
        listen(listener->fd, 4096)) {
        perror("listen");
        exit(1);
    }
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
}

int main(int count, char **arguments) {
    const char *seconds = getenv("HEARTBEAT");
    if (count != 2) {
        fprintf(stderr, "usage: floor PORT\n");
        return 2;
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    heartbeat = seconds ? (uint64_t)(atof(seconds) * SECOND) : 0;
    heartbeat_due = now_ns() + heartbeat;
    listen_on(atoi(arguments[1]));
    for (;;)
        turn();
}
