#include "threads.h"

#include <atomic>
#include <exception>
#include <mutex>

#if defined(RECURRA_STD_THREADS)
#include <thread>
#elif defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace recurra {
namespace {

std::atomic<bool> worked_in_parallel{false};
std::atomic<bool> forked_after{false};

void in_child() { forked_after = worked_in_parallel.load(); }

bool alone() {
#if defined(__unix__) || defined(__APPLE__)
  static const int registered = pthread_atfork(nullptr, nullptr, in_child);
  (void)registered;
#endif
  return forked_after;
}

struct Tasks {
  void (*work)(void*, Index) = nullptr;
  void* context = nullptr;
  Index count = 0;
  std::atomic<Index> next{0};
  std::exception_ptr error = nullptr;
  std::mutex lock;

  void take() {
    for (Index task; (task = next.fetch_add(1)) < count;) {
      try {
        work(context, task);
      } catch (...) {
        std::lock_guard<std::mutex> hold(lock);
        error = std::current_exception();
      }
    }
  }
};

}  // namespace

void parallel(Index tasks, Index threads, void (*work)(void*, Index), void* context) {
  Tasks all;
  all.work = work, all.context = context, all.count = tasks;
  if (threads > tasks) threads = tasks;
  if (threads <= 1 || alone()) {
    all.take();
  } else {
    worked_in_parallel = true;
#if defined(RECURRA_STD_THREADS)
    std::vector<std::thread> others;
    for (Index i = 1; i < threads; ++i) others.emplace_back([&] { all.take(); });
    all.take();
    for (auto& each : others) each.join();
#elif defined(_OPENMP)
#pragma omp parallel num_threads(static_cast<int>(threads))
    all.take();
#else
    all.take();
#endif
  }
  if (all.error) std::rethrow_exception(all.error);
}

}  // namespace recurra
