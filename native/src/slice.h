// One slice of the batch: the rows of one thread, all its steps.
#pragma once

#include <memory>

#include "kernels.h"

namespace recurra {

constexpr Index kChunkRows = 48;  // the rows that parts outside the loop run over, at least

template <class F>
class Slice {
 public:
  Slice(const Plan& plan, const Call<F>& call, const std::vector<F*>& packed, Index first,
        Index last);

  Index scratch_size() const { return scratch_size_; }
  void place(F* scratch);  // before anything runs
  void block(Index i);  // the i-th block to run
  void finish();        // after the last: hand the states over

 private:
  Index active(Index step) const;  // rows that have this step: the first of the slice
  Index length(Index r) const { return call_.length_of ? call_.length_of[first_ + r] : call_.T; }
  Index row(Index r) const { return call_.row_of ? call_.row_of[first_ + r] : first_ + r; }
  Index time(Index step, Index r) const {
    return call_.reverse ? length(r) - 1 - step : step;
  }
  F* at(const Operand& o, Index step) const {
    return base_[o.buffer] + step * step_[o.buffer] + o.shift * m_ * stride_[o.buffer] + o.offset;
  }
  F* state(std::size_t i, Index slot) const {
    const int b = plan_.states[i];
    return base_[b] + slot * step_[b];
  }

  void open(Index i);
  void chunk(Index from, Index to);
  void all_steps(int part, Index from, Index to);
  void run(int part, Index from, Index to, Index rows);
  void pointwise(const Instruction* from, const Instruction* to, Index step, Index rows);
  void product(const Instruction& i, Index step, Index rows);
  void port(const Instruction& i, Index from, Index to);
  void restart(Index step);
  void fetch_ahead(Index step, Index rows);

  const Plan& plan_;
  const Call<F>& call_;
  const std::vector<F*>& packed_;
  const Kernels<F>& kernels_;
  Index first_, m_, chunk_, strip_, scratch_size_ = 0;
  std::vector<F*> base_, start_;       // base: where step 0 would lie; start: the buffer's begin
  std::vector<Index> stride_, step_, offset_;
  std::vector<F> numbers_;
  std::vector<Strip<F>> strips_;
};

}  // namespace recurra
