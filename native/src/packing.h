// The weights of a call, packed for the machine's products.
#pragma once

#include "kernels.h"

namespace recurra {

// Elements that the packed matrices of a plan take.
Index packed_elements(const Plan& plan);

// Pack every matrix that the plan reads into `memory`: [2·matrix + turned], null where not read.
template <class F> std::vector<F*> pack(const Plan& plan, const Call<F>& call, F* memory);

// Memory on a boundary of 64 bytes, grown when it must be.
template <class F> class Memory {
 public:
  F* get(Index size) {
    const std::size_t wanted = static_cast<std::size_t>(size) + 16;
    if (held_.size() < wanted || held_.size() > 8 * wanted + (1 << 20)) {
      held_ = std::vector<F>();
      held_.resize(wanted);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(held_.data());
    return held_.data() + (64 - address % 64) % 64 / sizeof(F);
  }

 private:
  std::vector<F> held_;
};

}  // namespace recurra
