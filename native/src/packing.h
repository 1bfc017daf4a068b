// The weights of a call, packed for the machine's products.
#pragma once

#include "kernels.h"

namespace recurra {

// Elements that the packed matrices of a plan take.
Index packed_elements(const Plan& plan);

// Pack every matrix that the plan reads into `memory`: [2·matrix + turned], null where not read.
template <class F> std::vector<F*> pack(const Plan& plan, const Call<F>& call, F* memory);

}  // namespace recurra
