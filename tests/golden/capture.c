#include "capture.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcap.h>

#define ETHERNET_LEN   14u
#define ETHERTYPE_IPV4 0x0800u
#define IPPROTO_TCP_NO 6u
#define TCP_SYN        0x02u

static void die(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    abort();
}

static uint32_t be(const uint8_t *p, unsigned len)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < len; i++)
        v = v << 8 | p[i];
    return v;
}

static struct capture_stream *stream_of(struct capture *capture, uint16_t port, bool syn)
{
    for (unsigned i = 0; i < capture->stream_cnt; i++)
        if (capture->streams[i].port == port)
            return &capture->streams[i];
    if (!syn || capture->stream_cnt == CAPTURE_STREAM_MAX)
        return NULL;
    struct capture_stream *stream = &capture->streams[capture->stream_cnt++];
    *stream = (struct capture_stream){.port = port};
    return stream;
}

/* A retransmission writes the same bytes to the same place; a segment that came early leaves a hole
 * for later. */
static void half_put(struct capture_half *half, uint32_t seq, const uint8_t *bytes, size_t len)
{
    size_t at = seq - half->first_seq;
    if (at + len > half->cap) {
        size_t cap = (at + len) * 2;
        half->bytes = realloc(half->bytes, cap);
        half->seen = realloc(half->seen, cap);
        if (!half->bytes || !half->seen)
            abort();
        memset(half->seen + half->cap, 0, cap - half->cap);
        half->cap = cap;
    }
    memcpy(half->bytes + at, bytes, len);
    memset(half->seen + at, 1, len);
    if (at + len > half->len)
        half->len = at + len;
}

static void tcp_segment(struct capture *capture, uint16_t target_port, const uint8_t *tcp,
                        size_t len)
{
    uint16_t from = (uint16_t)be(tcp, 2), to = (uint16_t)be(tcp + 2, 2);
    if (from != target_port && to != target_port)
        return;
    bool syn = tcp[13] & TCP_SYN;
    enum capture_dir dir = to == target_port ? FROM_INITIATOR : FROM_TARGET;
    struct capture_stream *stream = stream_of(capture, dir == FROM_INITIATOR ? from : to, syn);
    if (!stream)
        return;
    uint32_t seq = be(tcp + 4, 4);
    size_t hdr_len = (size_t)(tcp[12] >> 4) * 4;
    if (syn)
        stream->half[dir].first_seq = seq + 1;
    else if (hdr_len < len)
        half_put(&stream->half[dir], seq, tcp + hdr_len, len - hdr_len);
}

static void packet(struct capture *capture, uint16_t target_port, const uint8_t *p, size_t len)
{
    if (len < ETHERNET_LEN + 20 || be(p + 12, 2) != ETHERTYPE_IPV4)
        return;
    const uint8_t *ip = p + ETHERNET_LEN;
    size_t ip_hdr_len = (size_t)(ip[0] & 15) * 4, ip_len = be(ip + 2, 2);
    if (ip[9] != IPPROTO_TCP_NO || ip_len > len - ETHERNET_LEN || ip_hdr_len + 20 > ip_len)
        return;
    tcp_segment(capture, target_port, ip + ip_hdr_len, ip_len - ip_hdr_len);
}

void capture_read(struct capture *capture, const char *path, uint16_t target_port)
{
    memset(capture, 0, sizeof(*capture));
    char why[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, why);
    if (!pcap)
        die(path, why);
    if (pcap_datalink(pcap) != DLT_EN10MB)
        die(path, "not Ethernet");
    struct pcap_pkthdr *hdr;
    const u_char *bytes;
    int rc;
    while ((rc = pcap_next_ex(pcap, &hdr, &bytes)) == 1) {
        if (hdr->caplen != hdr->len)
            die(path, "a packet is cut short");
        packet(capture, target_port, bytes, hdr->caplen);
    }
    if (rc != PCAP_ERROR_BREAK)
        die(path, pcap_geterr(pcap));
    pcap_close(pcap);
    for (unsigned i = 0; i < capture->stream_cnt; i++)
        for (unsigned dir = 0; dir < 2; dir++) {
            const struct capture_half *half = &capture->streams[i].half[dir];
            if (half->len == 0 || memchr(half->seen, 0, half->len))
                die(path, "bytes of a stream are missing");
        }
}

void capture_done(struct capture *capture)
{
    for (unsigned i = 0; i < capture->stream_cnt; i++)
        for (unsigned dir = 0; dir < 2; dir++) {
            free(capture->streams[i].half[dir].bytes);
            free(capture->streams[i].half[dir].seen);
        }
    memset(capture, 0, sizeof(*capture));
}
