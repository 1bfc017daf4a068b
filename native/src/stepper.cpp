#include "stepper.h"

#include <algorithm>

namespace recurra {

template <class F>
Stepper<F>::Stepper(const Plan& plan, const Call<F>& weights, Index B) : plan_(plan) {
  if (!plan.sealed || plan.load_sizes.size() > 1 || plan.store_sizes.size() != 1 ||
      !plan.sums.empty() || plan.saved || plan.descending || B < 1)
    throw PlanError("this plan cannot be pushed step by step");
  call_.B = B, call_.bounds = {0, B}, call_.block = 1 + (kChunkRows - 1) / B;
  packed_ = pack(plan, weights, memory_.get(packed_elements(plan)));
  for (std::size_t i = 0; i < weights.vectors.size(); ++i) {
    const F* given = weights.vectors[i].data;
    vectors_.emplace_back(given, given + plan.vector_sizes[i]);
  }
  for (const auto& v : vectors_) call_.vectors.push_back({v.data(), {1, 0, 0}});
  std::vector<Index> offsets;
  Index size = 0;
  for (int i = 0; i < plan.tapes; ++i) {
    offsets.push_back(size);
    Index width = 0;  // of the widest buffer there
    for (const Buffer& b : plan.buffers)
      if (b.kind == Kind::Tape && b.index == i) width = std::max(width, b.width);
    size += ((call_.block + 1) * B * width + 15) / 16 * 16;
  }
  F* tapes = tape_memory_.get(size);
  for (Index offset : offsets) call_.tapes.push_back(tapes + offset);
  call_.loads.resize(plan.load_sizes.size());
  call_.stores.resize(1);
  for (int state : plan.states) {
    const Index n = plan.buffers[state].width;
    call_.initial.push_back({nullptr, {n, 1, 0}});
    call_.final.push_back({nullptr, {n, 1, 0}});
  }
  call_.T = 1;
  slice_ = std::make_unique<Slice<F>>(plan_, call_, packed_, 0, B);
  slice_->place(scratch_.get(slice_->scratch_size()));
}

template <class F>
void Stepper<F>::push(Index T, Tensor<const F> x, Tensor<F> y, const std::vector<F*>& state) {
  if (state.size() != call_.initial.size() || T < 1) throw PlanError("another state is wanted");
  call_.T = T;
  if (!call_.loads.empty()) call_.loads[0] = x;
  call_.stores[0] = y;
  for (std::size_t i = 0; i < state.size(); ++i)
    call_.initial[i].data = state[i], call_.final[i].data = state[i];
  for (Index i = 0; i < call_.blocks(); ++i) slice_->block(i);
  slice_->finish();
}

template class Stepper<float>;
template class Stepper<double>;

}  // namespace recurra
