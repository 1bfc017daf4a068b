// Gradients of weights: sums over all rows and steps.
#pragma once

#include "kernels.h"

namespace recurra {

// Add the block's part of every sum of the plan. Each thread has some columns of the gradients and
// goes through the rows in one order, so the sums are the same for any number of threads.
template <class F> void add_sums(const Plan& plan, const Call<F>& call, Range steps);

}  // namespace recurra
