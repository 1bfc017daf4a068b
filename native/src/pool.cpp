#include "pool.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace recurra {
namespace {

constexpr std::size_t kLine = 64, kPage = std::size_t{2} << 20,
                      kMostWaiting = std::size_t{256} << 20, kMost = std::size_t{1} << 62;

struct Block {
  void* at;
  std::size_t size;
};

struct Pool {
  std::mutex lock;
  std::vector<Block> used, free;  // free: the one that has waited longest first
  std::size_t waiting = 0;
};

Pool& pool();

Pool* watched_pool() {
#if defined(__unix__) || defined(__APPLE__)
  // A child may be made while another thread is inside: it would find the lock taken for good.
  pthread_atfork([] { pool().lock.lock(); }, [] { pool().lock.unlock(); },
                 [] { pool().lock.unlock(); });
#endif
  return new Pool;  // never destroyed: tensors may outlive static objects
}

Pool& pool() {
  static Pool* one = watched_pool();
  return *one;
}

void* fresh(std::size_t size) {
  void* at = std::aligned_alloc(size % kPage ? kLine : kPage, size);
  if (at == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  if (size % kPage == 0) madvise(at, size, MADV_HUGEPAGE);
#endif
  return at;
}

}  // namespace

void* acquire(std::size_t bytes) {
  if (bytes > kMost) throw std::bad_alloc();
  const std::size_t unit = bytes < kPage ? kLine : kPage;
  const std::size_t size = (bytes / unit + 1) * unit;
  Pool& p = pool();
  std::lock_guard<std::mutex> hold(p.lock);
  std::size_t best = p.free.size();
  for (std::size_t i = 0; i < p.free.size(); ++i) {
    const std::size_t s = p.free[i].size;
    if (s >= size && s <= size + size / 4 && (best == p.free.size() || s <= p.free[best].size))
      best = i;
  }
  Block block;
  if (best < p.free.size()) {
    block = p.free[best];
    p.free.erase(p.free.begin() + static_cast<std::ptrdiff_t>(best));
    p.waiting -= block.size;
  } else {
    block = {fresh(size), size};
  }
  p.used.push_back(block);
  return block.at;
}

void release(void* at) {
  Pool& p = pool();
  std::lock_guard<std::mutex> hold(p.lock);
  for (std::size_t i = 0; i < p.used.size(); ++i) {
    if (p.used[i].at != at) continue;
    const Block block = p.used[i];
    p.used.erase(p.used.begin() + static_cast<std::ptrdiff_t>(i));
    p.free.push_back(block);
    p.waiting += block.size;
    break;
  }
  while (p.waiting > kMostWaiting || p.free.size() > 64) {
    p.waiting -= p.free.front().size;
    std::free(p.free.front().at);
    p.free.erase(p.free.begin());
  }
}

std::size_t waiting() {
  Pool& p = pool();
  std::lock_guard<std::mutex> hold(p.lock);
  return p.waiting;
}

}  // namespace recurra
