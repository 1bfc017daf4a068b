// Work in parallel, for the thread sanitizer: `parallel` from several threads at once, and a plan
// on one thread to four. Built with RECURRA_OWN_THREADS: that sanitizer does not know OpenMP.

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "../src/kernels.h"
#include "../src/pool.h"
#include "../src/threads.h"

using namespace recurra;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "threads: %s\n", what);
  std::exit(1);
}

template <class Body> void on_threads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  for (auto& each : threads) each.join();
}

void every_task_is_done_once() {
  on_threads(4, [](int) {
    for (Index round = 0; round < 200; ++round) {
      std::vector<Index> done(1 + round % 17);
      auto work = [&](Index task) { done[task] += 1; };
      parallel(static_cast<Index>(done.size()), 1 + round % 4, work);
      for (Index each : done) expect(each == 1, "a task was done twice or never");
    }
  });
}

void what_a_task_raises_arrives() {
  on_threads(3, [](int) {
    for (int round = 0; round < 50; ++round) {
      std::atomic<Index> done{0};
      auto work = [&](Index task) {
        ++done;
        if (task % 3 == 0) throw PlanError("on purpose");
      };
      bool raised = false;
      try {
        parallel(8, 4, work);
      } catch (const PlanError&) {
        raised = true;
      }
      expect(raised && done == 8, "an error was lost, or the tasks after it");
    }
  });
}

void memory_is_handed_out_once() {
  on_threads(4, [](int me) {
    for (std::size_t round = 1; round < 200; ++round) {
      int* mine = static_cast<int*>(acquire(round * 40));
      *mine = me;
      expect(*mine == me, "two have the same memory");
      release(mine);
    }
  });
}

// h = tanh(W h + x), its outputs and Σ h.
constexpr Index N = 96, T = 12, B = 24;

Plan recurrence() {
  Plan plan;
  plan.buffers = {{Kind::Tape, N, 0, true, 0}, {Kind::Chunk, N}, {Kind::Row, N}};
  plan.matrices = {{N, N}};
  plan.load_sizes = plan.store_sizes = {N};
  plan.gradient_sizes = {N};
  plan.tapes = 1, plan.states = {0};
  const Operand h{0, 0, 0}, next{0, 0, 1}, x{1, 0, 0}, sum{2, 0, 0};
  plan.parts[0].push_back({Op::Load, x, {}, {}, {}, N});
  plan.parts[1].push_back({Op::Linear, sum, h, x, {}, N, N});
  plan.parts[1].push_back({Op::Tanh, next, sum, {}, {}, N});
  plan.parts[2].push_back({Op::Store, next, next, {}, {}, N});
  plan.sums.push_back({next, {}, N, 0, 0});
  seal(plan);
  return plan;
}

std::vector<float> result(const Plan& plan, Index threads) {
  std::vector<float> x(T * B * N), w(N * N), h(B * N), last(B * N), tape((T + 1) * B * N);
  std::vector<float> y(T * B * N), gradient(N);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(0.1f * static_cast<float>(i));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::cos(static_cast<float>(i)) / N;
  Call<float> call;
  call.T = T, call.B = B, call.block = 5, call.threads = threads;
  for (Index s = 0; s <= 4; ++s) call.bounds.push_back(s * B / 4);
  call.loads = {{x.data(), {B * N, N, 1}}}, call.stores = {{y.data(), {B * N, N, 1}}};
  call.matrices = {{w.data(), {N, 1, 0}}};
  call.initial = {{h.data(), {N, 1, 0}}}, call.final = {{last.data(), {N, 1, 0}}};
  call.tapes = {tape.data()}, call.gradients = {gradient.data()};
  run(plan, call);
  y.insert(y.end(), last.begin(), last.end());
  y.insert(y.end(), gradient.begin(), gradient.end());
  return y;
}

void threads_give_the_same_bits() {
  const Plan plan = recurrence();
  const std::vector<float> wanted = result(plan, 1);
  on_threads(4, [&](int me) {
    for (int round = 0; round < 5; ++round)
      expect(result(plan, me + 1) == wanted, "another result on another number of threads");
  });
}

}  // namespace

int main() {
  every_task_is_done_once();
  what_a_task_raises_arrives();
  memory_is_handed_out_once();
  threads_give_the_same_bits();
  std::puts("threads: no report");
}
