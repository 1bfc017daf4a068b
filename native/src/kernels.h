// The functions that differ by instruction set: one table of them for each.
#pragma once

#include <cstdint>
#include <utility>

#include "tape.h"

namespace recurra {

// Rows of pointwise operands: r-th row at pointer + r * stride.
template <class F>
struct Strip {
  F* d;
  const F *a, *b, *c;
  Index ds, as, bs, cs;
  Index rows, n, k, inner, height, width;
};

constexpr int kDigestWords = 64;

template <class F>
struct Kernels {
  using Pointwise = void (*)(const Strip<F>&);
  const char* name;
  Index panel;  // columns of a packed panel
  Index tile;   // rows of the register tile
  // pointwise[op][constants]: bit 0 for a constant a (Where: b), bit 1 for b (Where: c)
  Pointwise pointwise[kPointwise][4];
  // packed: panels of `panel` columns of B (k, n), each (k, its width rounded up to a vector)
  void (*pack)(F* packed, const F* b, Index k_stride, Index n_stride, Index k, Index n, Index from,
               Index to);
  // d (rows, n) = init (rows, n) or 0 + a (rows, k) · packed (k, n)
  void (*product)(F* d, Index ds, const F* init, Index is, const F* a, Index as, const F* packed,
                  Index rows, Index k, Index n);
  // gradient (from..to of n, k) += Σ over `rows` of d_r[from..to] ⊗ x_r
  void (*outer)(F* gradient, Index n_from, Index n_to, Index k, const F* const* d,
                const F* const* x, Index rows, F* scratch);
  // gradient (n) += Σ d_r
  void (*total)(F* gradient, Index n, const F* const* d, Index rows);
  // the scratch `outer` needs for a range of n rows
  Index (*outer_scratch)(Index n);
  // what tells some bytes from others: kDigestWords words, those that are not used left alone
  void (*digest)(std::uint32_t* out, const char* bytes, Index count);
  double (*multiply_add)(Index rounds);  // register-only FMAs; returns how many flops it did
};

constexpr Index kOuterRows = 256;  // most rows `outer` takes at once

Index packed_size(Index k, Index n);  // for any instruction set, in elements

template <class F>
const Kernels<F>& kernels();  // of the instruction set in use

const char* simd();                       // its name
std::vector<std::string> simd_choices();  // what this processor can run, best first
void use_simd(const std::string& name);   // raises PlanError for another

}  // namespace recurra
