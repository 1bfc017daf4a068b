// A cell that keeps its state and is pushed along, with everything prepared for short runs.
#pragma once

#include <memory>

#include "memory.h"
#include "packing.h"
#include "slice.h"

namespace recurra {

// The plan has one load, one store and no sums; its weights are packed when it is built.
template <class F> class Stepper {
 public:
  Stepper(const Plan& plan, const Call<F>& weights, Index B);
  // x (T, B, I) and y (T, B, O) with strides; the state (B, n) is read and written.
  void push(Index T, Tensor<const F> x, Tensor<F> y, const std::vector<F*>& state);

 private:
  const Plan& plan_;
  Call<F> call_;
  Memory<F> memory_, scratch_, tape_memory_;
  std::vector<std::vector<F>> vectors_;
  std::vector<F*> packed_;
  std::unique_ptr<Slice<F>> slice_;
};

}  // namespace recurra
