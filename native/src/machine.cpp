// A call: pack the weights, run every slice block by block, sum what is summed over rows.

#include "packing.h"
#include "slice.h"
#include "sums.h"
#include "threads.h"

namespace recurra {

template <class F> void run(const Plan& plan, const Call<F>& call) {
  static thread_local Memory<F> memory;  // kept: fresh memory costs more than packing
  const std::vector<F*> packed = pack(plan, call, memory.get(packed_elements(plan)));
  const Index slices = static_cast<Index>(call.bounds.size()) - 1, blocks = call.blocks();
  Index from = 0, to = 0;
  auto work = [&](Index s) {
    Slice<F> slice(plan, call, packed, call.bounds[s], call.bounds[s + 1]);
    slice.place(thread_scratch<F>(slice.scratch_size()));
    for (Index i = from; i < to; ++i) slice.block(i);
    if (to == blocks) slice.finish();
  };
  if (plan.sums.empty() || blocks == 0) {
    to = blocks;
    return parallel(slices, call.threads, work);
  }
  for (; from < blocks; from = to) {
    to = from + 1;
    parallel(slices, call.threads, work);
    add_sums(plan, call, block_of(plan, call, from));
  }
}

template void run<float>(const Plan&, const Call<float>&);
template void run<double>(const Plan&, const Call<double>&);

}  // namespace recurra
