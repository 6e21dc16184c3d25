/* The fan-out's inner loop: for every line and batch one copy, a sequence number and SRTP for each packet, and the
 * datagrams of many lines in one system call. What it does is what webrtc/rtp/python_fanout.py does.
 *
 * A plain shared library, called through ctypes without the interpreter's lock: no header but libc's is needed to build
 * it. libsrtp comes as a pointer to `srtp_protect` from the library that Python has loaded, so both see one session. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define MAX_MESSAGES 32

typedef int (*protect_function)(void *srtp, void *packet, int *length);

/* As in webrtc/rtp/native_fanout.py. */
struct batch {
    const uint8_t *packets; /* One behind the other, without gaps. */
    uint32_t count;
    uint32_t packet_bytes;
    uint32_t last_bytes;
    uint32_t first_sequence;
};

struct line {
    void *srtp;
    uint32_t overhead;
    uint32_t takes_runs; /* Set to zero when the kernel takes packets only one by one. */
    uint32_t sent;       /* Batches of this call that the kernel took. */
    uint32_t is_stopped; /* Whether it refused one. */
    uint32_t address_bytes;
    uint32_t control_bytes;
    uint8_t address[32];
    _Alignas(8) uint8_t control[64]; /* Control messages, padded. */
};

struct queue {
    int fd;
    unsigned count;
    size_t used;
    uint8_t *buffer;
    struct line *owner[MAX_MESSAGES];
    unsigned spacing[MAX_MESSAGES];
    struct mmsghdr message[MAX_MESSAGES];
    struct iovec part[MAX_MESSAGES];
    _Alignas(8) uint8_t control[MAX_MESSAGES][sizeof((struct line *)0)->control + CMSG_SPACE(sizeof(uint16_t))];
};

uint32_t fanout_interface(void) { return 1 << 24 | sizeof(struct batch) << 12 | sizeof(struct line); }

/* Send what a message holds packet by packet. */
static int send_singly(struct queue *queue, unsigned number) {
    struct line *line = queue->owner[number];
    struct msghdr message = queue->message[number].msg_hdr;
    struct iovec part, whole = queue->part[number];
    size_t spacing = queue->spacing[number];
    message.msg_iov = &part;
    message.msg_controllen = line->control_bytes;
    if (!line->control_bytes)
        message.msg_control = NULL;
    for (size_t start = 0; start < whole.iov_len; start += spacing) {
        size_t left = whole.iov_len - start;
        part.iov_base = (uint8_t *)whole.iov_base + start;
        part.iov_len = left < spacing ? left : spacing;
        if (sendmsg(queue->fd, &message, MSG_DONTWAIT) < 0)
            return 0;
    }
    return 1;
}

/* Try what may help after a refusal of a message. */
static int send_again(struct queue *queue, unsigned number, int problem) {
    struct line *line = queue->owner[number];
    int is_run = queue->part[number].iov_len > queue->spacing[number];
    /* An earlier packet's error, to whomever that was: this one was not looked at. */
    if (problem == ECONNREFUSED)
        return sendmsg(queue->fd, &queue->message[number].msg_hdr, MSG_DONTWAIT) >= 0;
    if (problem != EIO && problem != EINVAL && problem != EOPNOTSUPP && problem != EMSGSIZE)
        return 0;
    if (!is_run || !line->takes_runs || !send_singly(queue, number))
        return 0;
    line->takes_runs = 0;
    return 1;
}

static void flush(struct queue *queue) {
    unsigned done = 0;
    while (done < queue->count) {
        struct line *line = queue->owner[done];
        int taken = 0;
        if (line->is_stopped) {
            done++;
            continue;
        }
        if (line->takes_runs || queue->part[done].iov_len <= queue->spacing[done])
            taken = sendmmsg(queue->fd, queue->message + done, queue->count - done, MSG_DONTWAIT);
        else if (send_singly(queue, done))
            taken = 1;
        else
            taken = -1;
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0) {
            if (!send_again(queue, done, errno)) {
                line->is_stopped = 1;
                done++;
                continue;
            }
            taken = 1;
        }
        for (; taken > 0; taken--)
            queue->owner[done++]->sent++;
    }
    queue->count = 0;
    queue->used = 0;
}

/* Append a batch for a line; return whether libsrtp protected it. */
static int append(struct queue *queue, const struct batch *batch, struct line *line, uint32_t sequence,
                  protect_function protect) {
    unsigned number = queue->count;
    uint8_t *start = queue->buffer + queue->used, *packet = start;
    const uint8_t *source = batch->packets;
    struct msghdr *header = &queue->message[number].msg_hdr;
    for (uint32_t left = batch->count; left; left--) {
        int length = left == 1 ? batch->last_bytes : batch->packet_bytes;
        memcpy(packet, source, length);
        source += length;
        packet[2] = sequence >> 8;
        packet[3] = sequence;
        sequence++;
        if (protect(line->srtp, packet, &length))
            return 0;
        packet += length;
    }
    queue->used += packet - start;
    queue->owner[number] = line;
    queue->spacing[number] = batch->packet_bytes + line->overhead;
    queue->part[number] = (struct iovec){start, packet - start};
    *header = (struct msghdr){
        .msg_name = line->address,
        .msg_namelen = line->address_bytes,
        .msg_iov = &queue->part[number],
        .msg_iovlen = 1,
    };
    memcpy(queue->control[number], line->control, line->control_bytes);
    header->msg_controllen = line->control_bytes;
    if (batch->count > 1) {
        struct cmsghdr *segment = (struct cmsghdr *)(queue->control[number] + line->control_bytes);
        uint16_t spacing = queue->spacing[number];
        segment->cmsg_level = SOL_UDP;
        segment->cmsg_type = UDP_SEGMENT;
        segment->cmsg_len = CMSG_LEN(sizeof spacing);
        memcpy(CMSG_DATA(segment), &spacing, sizeof spacing);
        header->msg_controllen += CMSG_SPACE(sizeof spacing);
    }
    if (header->msg_controllen)
        header->msg_control = queue->control[number];
    queue->count++;
    return 1;
}

/* Send all batches to all lines. `buffer` has room for the largest batch at least. Returns how many lines were
 * stopped; how far each one came is in `sent`. */
uint32_t fanout_send(int fd, protect_function protect, const struct batch *batches, uint32_t batch_count,
                     struct line *const *lines, const uint16_t *offsets, uint32_t line_count, uint8_t *buffer,
                     size_t buffer_bytes) {
    struct queue queue;
    uint32_t stopped = 0;
    queue.fd = fd;
    queue.count = 0;
    queue.used = 0;
    queue.buffer = buffer;
    for (uint32_t number = 0; number < line_count; number++) {
        struct line *line = lines[number];
        line->sent = 0;
        line->is_stopped = 0;
        for (uint32_t place = 0; place < batch_count && !line->is_stopped; place++) {
            const struct batch *batch = batches + place;
            size_t needed = (size_t)batch->count * (batch->packet_bytes + line->overhead);
            if (queue.count == MAX_MESSAGES || queue.used + needed > buffer_bytes) {
                flush(&queue);
                if (line->is_stopped)
                    break;
            }
            if (!append(&queue, batch, line, batch->first_sequence + offsets[number], protect)) {
                flush(&queue);
                line->is_stopped = 1;
            }
        }
    }
    flush(&queue);
    for (uint32_t number = 0; number < line_count; number++)
        stopped += lines[number]->is_stopped;
    return stopped;
}
