#define _GNU_SOURCE /* fopencookie */
#include "shim.h"

#include <dlfcn.h>
#include <stdarg.h>

int shim_rte_errno(void) { return rte_errno; }

void shim_rte_set_errno(int number) { rte_errno = number; }

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

uint16_t shim_rte_mbuf_refcnt_read(const struct rte_mbuf *mbuf) { return rte_mbuf_refcnt_read(mbuf); }

uint16_t shim_rte_mbuf_refcnt_update(struct rte_mbuf *mbuf, int16_t change)
{
	return rte_mbuf_refcnt_update(mbuf, change);
}

int shim_rte_pktmbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail)
{
	return rte_pktmbuf_chain(head, tail);
}

unsigned int shim_rte_mempool_mem_chunks(const struct rte_mempool *pool) { return pool->nb_mem_chunks; }

void *shim_rte_mempool_base(const struct rte_mempool *pool)
{
	const struct rte_mempool_memhdr *first = STAILQ_FIRST(&pool->mem_list);
	return first == NULL ? NULL : first->addr;
}

uint32_t shim_rte_mempool_header_size(const struct rte_mempool *pool) { return pool->header_size; }

uint32_t shim_rte_mempool_object_size(const struct rte_mempool *pool)
{
	return rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);
}

void *shim_rte_memzone_address(const struct rte_memzone *zone) { return zone->addr; }

static ssize_t stream_write(void *cookie, const char *bytes, size_t length)
{
	((shim_sink)cookie)(bytes, length);
	return (ssize_t)length;
}

FILE *shim_stream(shim_sink sink)
{
	cookie_io_functions_t functions = {.write = stream_write};
	return fopencookie((void *)sink, "w", functions);
}

static shim_sink library_sink;

static int library_print(int level, const char *format, va_list args)
{
	char text[1024];
	int length;

	if (level > 1) /* 0 warning, 1 information, 2 debugging */
		return 0;
	length = vsnprintf(text, sizeof(text), format, args);
	if (length > 0)
		library_sink(text, RTE_MIN((size_t)length, sizeof(text) - 1));
	return length;
}

/* The driver net_af_xdp brings these libraries with it, so they are looked up among what is already loaded: linking them
 * here would make them a condition for every user. */
static void capture(const char *library, const char *setter)
{
	typedef int (*print)(int, const char *, va_list);
	void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);

	if (handle != NULL) {
		void (*set)(print) = (void (*)(print))dlsym(handle, setter);
		if (set != NULL)
			set(library_print);
		dlclose(handle);
	}
}

void shim_capture_bpf_libraries(shim_sink sink)
{
	library_sink = sink;
	capture("libbpf.so.1", "libbpf_set_print");
	capture("libxdp.so.1", "libxdp_set_print");
}
