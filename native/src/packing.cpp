#include "packing.h"

#include <algorithm>

#include "threads.h"

namespace recurra {
namespace {

constexpr Index kLarge = 1 << 17;  // elements: fewer are packed before another thread is awake

// Which matrices a plan needs, and which way round: [2·matrix + transposed].
std::vector<bool> needed(const Plan& plan) {
  std::vector<bool> need(2 * plan.matrices.size());
  for (const auto& part : plan.parts)
    for (const Instruction& i : part)
      if (i.op == Op::Linear || i.op == Op::LinearT)
        need[2 * i.matrix + (i.op == Op::LinearT)] = true;
  return need;
}

}  // namespace

Index packed_size(Index k, Index n) { return k * ((n + 15) / 16 * 16); }

Index packed_elements(const Plan& plan) {
  const std::vector<bool> need = needed(plan);
  Index size = 0;
  for (std::size_t i = 0; i < need.size(); ++i)
    if (need[i]) {
      const auto& m = plan.matrices[i / 2];
      size += i % 2 ? packed_size(m.n, m.k) : packed_size(m.k, m.n);
    }
  return size;
}

template <class F> std::vector<F*> pack(const Plan& plan, const Call<F>& call, F* memory) {
  const Kernels<F>& table = kernels<F>();
  const std::vector<bool> need = needed(plan);
  std::vector<F*> packed(need.size(), nullptr);
  struct Task { std::size_t which; Index from, to; };
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < need.size(); ++i) {
    if (!need[i]) continue;
    const auto& m = plan.matrices[i / 2];
    const Index k = i % 2 ? m.n : m.k, n = i % 2 ? m.k : m.n;
    packed[i] = memory;
    memory += packed_size(k, n);
    for (Index j = 0; j < n; j += table.panel) tasks.push_back({i, j, std::min(n, j + table.panel)});
  }
  auto work = [&](Index task) {
    const Task& t = tasks[task];
    const auto& m = plan.matrices[t.which / 2];
    const auto& given = call.matrices[t.which / 2];
    const bool turned = t.which % 2;
    table.pack(packed[t.which], given.data, given.stride[turned ? 0 : 1],
               given.stride[turned ? 1 : 0], turned ? m.n : m.k, turned ? m.k : m.n, t.from, t.to);
  };
  const bool large = packed_elements(plan) >= kLarge;
  parallel(static_cast<Index>(tasks.size()), large ? call.threads : 1, work);
  return packed;
}

template std::vector<float*> pack<float>(const Plan&, const Call<float>&, float*);
template std::vector<double*> pack<double>(const Plan&, const Call<double>&, double*);

}  // namespace recurra
