/* What bindgen reads: the DPDK headers, and C functions for what has no symbol (static inlines, macros, thread-locals).
 * Each shim function does what the DPDK function of the same name does, and nothing else. */
#ifndef DPDK_SHIM_H
#define DPDK_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <rte_version.h>

/* A macro with a cast in it, which bindgen does not translate. */
static const uint64_t SHIM_RTE_ETH_TX_OFFLOAD_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

int shim_rte_errno(void);
void shim_rte_set_errno(int number);
unsigned int shim_rte_lcore_id(void);

uint16_t shim_rte_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
uint16_t shim_rte_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);

struct rte_mbuf *shim_rte_pktmbuf_alloc(struct rte_mempool *pool);
int shim_rte_pktmbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int count);
void shim_rte_pktmbuf_free(struct rte_mbuf *mbuf);
uint16_t shim_rte_mbuf_refcnt_read(const struct rte_mbuf *mbuf);
uint16_t shim_rte_mbuf_refcnt_update(struct rte_mbuf *mbuf, int16_t change);
int shim_rte_pktmbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail);

unsigned int shim_rte_mempool_mem_chunks(const struct rte_mempool *pool);
/* Address of the first chunk of the pool's memory, and the bytes from one object's mbuf back to the object's start. */
void *shim_rte_mempool_base(const struct rte_mempool *pool);
uint32_t shim_rte_mempool_header_size(const struct rte_mempool *pool);
uint32_t shim_rte_mempool_object_size(const struct rte_mempool *pool);
void *shim_rte_memzone_address(const struct rte_memzone *zone);

typedef void (*shim_sink)(const char *bytes, size_t length);
/* A stdio stream whose bytes go to `sink`; for rte_openlog_stream. NULL if there is no memory. */
FILE *shim_stream(shim_sink sink);
/* What libbpf and libxdp would print on stderr goes to `sink`; nothing happens if they are not loaded. */
void shim_capture_bpf_libraries(shim_sink sink);

#endif
