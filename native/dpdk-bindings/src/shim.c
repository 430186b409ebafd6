#define _GNU_SOURCE /* fopencookie */
#include "shim.h"

int shim_rte_errno(void) { return rte_errno; }

unsigned int shim_rte_lcore_id(void) { return rte_lcore_id(); }

uint16_t shim_rte_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_rx_burst(port, queue, mbufs, count);
}

uint16_t shim_rte_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, mbufs, count);
}

struct rte_mbuf *shim_rte_pktmbuf_alloc(struct rte_mempool *pool) { return rte_pktmbuf_alloc(pool); }

int shim_rte_pktmbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int count)
{
	return rte_pktmbuf_alloc_bulk(pool, mbufs, count);
}

void shim_rte_pktmbuf_free(struct rte_mbuf *mbuf) { rte_pktmbuf_free(mbuf); }

typedef void (*sink_t)(const char *, size_t);

static ssize_t stream_write(void *cookie, const char *bytes, size_t length)
{
	((sink_t)cookie)(bytes, length);
	return (ssize_t)length;
}

FILE *shim_stream(sink_t sink)
{
	cookie_io_functions_t functions = {.write = stream_write};
	return fopencookie((void *)sink, "w", functions);
}
