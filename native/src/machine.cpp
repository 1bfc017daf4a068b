// A call: pack the weights, run every slice block by block, sum what is summed over rows.

#include "memory.h"
#include "packing.h"
#include "slice.h"
#include "sums.h"
#include "threads.h"

namespace recurra {
namespace {

constexpr double kLarge = 1 << 20;  // multiply-adds: fewer are done before another thread is awake

template <class F> double work_of(const Plan& plan, const Call<F>& call) {
  double work = 0;
  for (const auto& part : plan.parts)
    for (const Instruction& i : part) {
      const bool product = i.op == Op::Linear || i.op == Op::LinearT || is_matmul(i.op);
      work += static_cast<double>(i.n) * (product ? static_cast<double>(i.k) : 8);
    }
  return work * static_cast<double>(call.T) * static_cast<double>(call.B);
}

}  // namespace

template <class F> void run(const Plan& plan, const Call<F>& call) {
  static thread_local Memory<F> memory;  // kept: fresh memory costs more than packing
  const std::vector<F*> packed = pack(plan, call, memory.get(packed_elements(plan)));
  const Index slices = static_cast<Index>(call.bounds.size()) - 1, blocks = call.blocks();
  const Index threads = work_of(plan, call) < kLarge ? 1 : call.threads;
  Index from = 0, to = 0;
  auto work = [&](Index s) {
    Slice<F> slice(plan, call, packed, call.bounds[s], call.bounds[s + 1]);
    slice.place(thread_scratch<F>(slice.scratch_size()));
    for (Index i = from; i < to; ++i) slice.block(i);
    if (to == blocks) slice.finish();
  };
  if (plan.sums.empty() || blocks == 0) {
    to = blocks;
    return parallel(slices, threads, work);
  }
  for (; from < blocks; from = to) {
    to = from + 1;
    parallel(slices, threads, work);
    add_sums(plan, call, block_of(plan, call, from));
  }
}

template void run<float>(const Plan&, const Call<float>&);
template void run<double>(const Plan&, const Call<double>&);

}  // namespace recurra
