#include "sums.h"

#include <algorithm>

#include "memory.h"
#include "threads.h"

namespace recurra {
namespace {

constexpr Index kLarge = 1 << 20;  // multiply-adds: fewer are done before another thread is awake

// The rows of an operand in the order in which sums run: step by step, and position_of in a step.
template <class F> class Rows {
 public:
  Rows(const Plan& plan, const Call<F>& call, const Operand& o, Index block_from)
      : buffer_(plan.buffers[o.buffer]), call_(call), shift_(o.shift) {
    const bool tape = buffer_.kind == Kind::Tape;
    data_ = (tape ? call.tapes[buffer_.index] : const_cast<F*>(call.saved[buffer_.index])) + o.offset;
    slots_ = (tape ? call.block : call.T) + (buffer_.state ? 1 : 0);
    from_ = tape ? block_from : 0;
  }
  const F* at(Index step, Index position, Index first, Index m) const {
    return data_ +
           (first * slots_ + (step - from_ + shift_) * m + (position - first)) * buffer_.width;
  }

 private:
  const Buffer& buffer_;
  const Call<F>& call_;
  F* data_;
  Index slots_, from_;
  int shift_;
};

struct Place { Index first, m; };

template <class F>
void add_sum(const Plan& plan, const Call<F>& call, const SumOf& sum,
             const std::vector<Place>& places, Range steps, Range columns) {
  const Kernels<F>& table = kernels<F>();
  const bool outer = sum.x.buffer >= 0;
  const Rows<F> d(plan, call, sum.d, steps.from), x(plan, call, outer ? sum.x : sum.d, steps.from);
  const F *ds[kOuterRows], *xs[kOuterRows];
  F* scratch = outer ? thread_scratch<F>(table.outer_scratch(columns.to - columns.from)) : nullptr;
  F* gradient = call.gradients[sum.gradient];
  Index count = 0;
  auto flush = [&] {
    if (count && outer)
      table.outer(gradient, columns.from, columns.to, sum.k, ds, xs, count, scratch);
    else if (count)
      table.total(gradient + columns.from, columns.to - columns.from, ds, count);
    count = 0;
  };
  for (Index step = steps.from; step < steps.to; ++step)
    for (Index rank = 0; rank < call.B; ++rank) {
      const Index p = call.position_of ? call.position_of[rank] : rank;
      if (call.length_of && call.length_of[p] <= step) break;
      ds[count] = d.at(step, p, places[p].first, places[p].m) + (outer ? 0 : columns.from);
      if (outer) xs[count] = x.at(step, p, places[p].first, places[p].m);
      if (++count == kOuterRows) flush();
    }
  flush();
}

}  // namespace

template <class F> void add_sums(const Plan& plan, const Call<F>& call, Range steps) {
  std::vector<Place> places(call.B);
  for (std::size_t s = 0; s + 1 < call.bounds.size(); ++s)
    for (Index p = call.bounds[s]; p < call.bounds[s + 1]; ++p)
      places[p] = {call.bounds[s], call.bounds[s + 1] - call.bounds[s]};
  struct Task { const SumOf* sum; Range columns; };
  std::vector<Task> tasks;
  bool large = false;
  const Index tile = kernels<F>().tile;
  for (const SumOf& sum : plan.sums) {
    const Index tiles = (sum.n + tile - 1) / tile;
    const Index work = (steps.to - steps.from) * call.B * sum.n * std::max<Index>(sum.k, 1);
    large = large || work >= kLarge;
    const Index parts = work < kLarge ? 1 : std::min(call.threads, tiles);
    for (Index i = 0; i < parts; ++i)
      tasks.push_back({&sum, {i * tiles / parts * tile,
                              std::min(sum.n, (i + 1) * tiles / parts * tile)}});
  }
  auto work = [&](Index i) {
    add_sum(plan, call, *tasks[i].sum, places, steps, tasks[i].columns);
  };
  parallel(static_cast<Index>(tasks.size()), large ? call.threads : 1, work);
}

template void add_sums<float>(const Plan&, const Call<float>&, Range);
template void add_sums<double>(const Plan&, const Call<double>&, Range);

}  // namespace recurra
