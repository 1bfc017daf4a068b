#include "threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace recurra {
namespace {

constexpr std::chrono::microseconds kLinger{50};  // how long an idle thread watches for more work

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// The caller's rounding and flush-to-zero, for whoever helps it: the same bits on every thread.
struct FloatMode {
#if defined(__x86_64__)
  unsigned bits = _mm_getcsr();
  void set() const { _mm_setcsr(bits); }
#else
  void set() const {}
#endif
};

struct Job {
  void (*work)(void*, Index);
  void* context;
  Index count;
  Index helpers;  // how many more threads may join; under the pool's lock
  FloatMode mode;
  std::atomic<Index> next{0};
  std::atomic<Index> inside{0};  // helpers at work
  std::mutex lock;
  std::exception_ptr error;

  Job(void (*w)(void*, Index), void* c, Index n, Index h)
      : work(w), context(c), count(n), helpers(h) {}

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

class Pool {
 public:
  void run(Job& job) {
    {
      std::lock_guard<std::mutex> hold(lock_);
      jobs_.push_back(&job);
      while (workers_ < job.helpers && start()) {
      }
    }
    posted_.fetch_add(1);
    wake_.notify_all();
    job.take();
    std::unique_lock<std::mutex> hold(lock_);
    for (std::size_t i = 0; i < jobs_.size(); ++i)
      if (jobs_[i] == &job) {
        jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      }
    hold.unlock();  // nobody joins any more
    const auto until = std::chrono::steady_clock::now() + kLinger;
    while (job.inside.load() > 0 && std::chrono::steady_clock::now() < until) pause();
    hold.lock();
    done_.wait(hold, [&] { return job.inside.load() == 0; });
  }

 private:
  bool start() {  // false where the system gives no more threads: those there are do the work
#if defined(__unix__) || defined(__APPLE__)
    sigset_t all, before;  // signals are the program's own business
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    bool started = true;
    try {
      std::thread([this] { help(); }).detach();
      ++workers_;
    } catch (const std::system_error&) {
      started = false;
    }
#if defined(__unix__) || defined(__APPLE__)
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
    return started;
  }

  Job* open() {  // a job that wants help; under the lock
    for (Job* job : jobs_)
      if (job->helpers > 0 && job->next.load() < job->count) return job;
    return nullptr;
  }

  void help() {
    std::unique_lock<std::mutex> hold(lock_);
    for (;;) {
      Job* job = open();
      if (job == nullptr) {
        const Index seen = posted_.load();
        hold.unlock();
        const auto until = std::chrono::steady_clock::now() + kLinger;
        while (posted_.load() == seen && std::chrono::steady_clock::now() < until) pause();
        hold.lock();
        wake_.wait(hold, [&] { return (job = open()) != nullptr; });
      }
      --job->helpers;
      job->inside.fetch_add(1);
      hold.unlock();
      const FloatMode own;
      job->mode.set();
      job->take();
      own.set();
      hold.lock();
      if (job->inside.fetch_sub(1) == 1) done_.notify_all();
    }
  }

  std::mutex lock_;
  std::condition_variable wake_, done_;
  std::vector<Job*> jobs_;
  std::atomic<Index> posted_{0};
  Index workers_ = 0;
};

std::atomic<Pool*> current{nullptr};
std::atomic<bool> forked{false};

// Never destroyed: its threads end with the process. A forked child has none of its parent's
// threads, and locks in whatever state they were: it begins with a pool of its own.
Pool& pool() { return *current.load(); }

#if defined(__unix__) || defined(__APPLE__)
// GCC's OpenMP keeps a thread's helpers in a pool, and waits for them for good in a child, which
// has none of them: torch's own operations stand still there. So they are let go before the fork,
// which takes some 0.1 ms, and come back with the next parallel region, in parent and child.
void let_helpers_go() {
  using Pause = int (*)(int);
  static const Pause pause =
      reinterpret_cast<Pause>(dlsym(RTLD_DEFAULT, "omp_pause_resource_all"));
  constexpr int kSoft = 1;  // omp_pause_soft: what the program has set is kept
  if (pause != nullptr) pause(kSoft);
}
#endif

bool watch_once() {
  static const bool once = [] {
    current = new Pool;
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(let_helpers_go, nullptr, [] {
      current = new Pool;
      forked = true;
    });
#endif
    return true;
  }();
  return once;
}

#if defined(_OPENMP) && !defined(RECURRA_OWN_THREADS)
// OpenMP's threads are torch's own: they still watch for work after torch's last operation, and
// threads of ours would have to share the processor with them. OpenMP does not survive a fork.
bool run_on_openmp(Job& job) {
  if (forked) return false;
#pragma omp parallel num_threads(static_cast<int>(job.helpers) + 1)
  {
    const FloatMode own;
    job.mode.set();
    job.take();
    own.set();
  }
  return true;
}
#else
bool run_on_openmp(Job&) { return false; }
#endif

}  // namespace

void watch_forks() { watch_once(); }

void parallel(Index tasks, Index threads, void (*work)(void*, Index), void* context) {
  Job job(work, context, tasks, std::min(threads, tasks) - 1);
  watch_forks();
  if (job.helpers <= 0)
    job.take();
  else if (!run_on_openmp(job))
    pool().run(job);
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace recurra
