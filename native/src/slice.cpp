#include "slice.h"

#include <algorithm>
#include <cstring>

namespace recurra {
namespace {

constexpr Index kLine = 64;           // bytes
constexpr Index kStripFeatures = 768; // features of a strip: its operands stay in the first cache

template <class F> void copy_row(F* out, const Tensor<const F>& x, Index row, Index n) {
  const F* in = x.data + row * x.stride[0];
  for (Index j = 0; j < n; ++j) out[j] = in[j * x.stride[1]];
}

}  // namespace

template <class F>
Slice<F>::Slice(const Plan& plan, const Call<F>& call, const std::vector<F*>& packed, Index first,
                Index last)
    : plan_(plan), call_(call), packed_(packed), kernels_(kernels<F>()), first_(first),
      m_(last - first) {
  chunk_ = std::min(call.block, std::max<Index>(1, (kChunkRows + m_ - 1) / m_));
  Index widest = 1;
  std::size_t longest = 0;
  for (const auto& part : plan.parts) {
    longest = std::max(longest, part.size());
    for (const Instruction& i : part)
      if (static_cast<int>(i.op) < kPointwise) widest = std::max(widest, i.n);
  }
  strip_ = std::max<Index>(1, kStripFeatures / widest);
  strips_.resize(longest);
  const std::size_t count = plan.buffers.size();
  base_.assign(count, nullptr), start_.assign(count, nullptr);
  stride_.assign(count, 0), step_.assign(count, 0), offset_.assign(count, -1);
  numbers_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Buffer& b = plan.buffers[i];
    if (b.kind == Kind::Constant || b.kind == Kind::Vector) continue;
    stride_[i] = b.width;
    if (b.kind <= Kind::Chunk) step_[i] = m_ * b.width;
    if (b.kind < Kind::Chunk) continue;
    const Index rows = b.kind == Kind::Chunk ? chunk_ * m_ : b.kind == Kind::Row ? m_ : strip_;
    offset_[i] = scratch_size_;
    scratch_size_ += (rows * b.width + 15) / 16 * 16;
  }
}

// Lay every buffer out: kept ones in the caller's memory, the others in scratch.
template <class F> void Slice<F>::place(F* scratch) {
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    const Buffer& b = plan_.buffers[i];
    if (b.kind == Kind::Constant) {
      numbers_[i] = static_cast<F>(b.number);
      start_[i] = &numbers_[i];
    } else if (b.kind == Kind::Vector) {
      start_[i] = const_cast<F*>(call_.vectors[b.index].data);
    } else if (b.kind == Kind::Saved) {
      const Index slots = call_.T + (b.state ? 1 : 0);
      start_[i] = const_cast<F*>(call_.saved[b.index]) + first_ * slots * b.width;
    } else if (b.kind == Kind::Tape) {
      const Index slots = call_.block + (b.state ? 1 : 0);
      start_[i] = call_.tapes[b.index] + first_ * slots * b.width;
    } else {
      start_[i] = scratch + offset_[i];
    }
  }
  base_ = start_;
}

template <class F> Index Slice<F>::active(Index step) const {
  if (!call_.length_of) return m_;
  const Index* from = call_.length_of + first_;
  return std::partition_point(from, from + m_, [step](Index n) { return n > step; }) - from;
}

template <class F> void Slice<F>::block(Index i) {
  const auto [from, to] = block_of(plan_, call_, i);
  for (std::size_t b = 0; b < plan_.buffers.size(); ++b)
    if (plan_.buffers[b].kind == Kind::Tape) base_[b] = start_[b] - from * step_[b];
  open(i);
  const Index steps = to - from;
  for (Index done = 0; done < steps; done += chunk_) {
    const Index count = std::min(chunk_, steps - done);
    if (plan_.descending)
      chunk(to - done - count, to - done);
    else
      chunk(from + done, from + done + count);
  }
}

// Put the states where the block begins: each row's own start, or where the last block left it.
template <class F> void Slice<F>::open(Index i) {
  const auto [from, to] = block_of(plan_, call_, i);
  const auto [old_from, old_to] = block_of(plan_, call_, i == 0 ? 0 : i - 1);
  for (std::size_t s = 0; s < plan_.states.size(); ++s) {
    const Index n = stride_[plan_.states[s]];
    for (Index r = 0; r < m_; ++r) {
      const Index begin = plan_.descending ? length(r) : 0;
      const bool begins = plan_.descending ? from < begin && begin <= to : i == 0;
      F* out = state(s, begins ? begin : plan_.descending ? to : from) + r * n;
      if (begins) {
        copy_row(out, call_.initial[s], row(r), n);
      } else if (i > 0 && !(plan_.descending && begin <= from)) {
        // The tape is the same memory: the old block's slots count from its own beginning.
        const Index slot = plan_.descending
                               ? 0
                               : std::clamp(length(r), old_from, old_to) - old_from;
        const F* last = start_[plan_.states[s]] + (slot * m_ + r) * n;
        if (out != last) std::memcpy(out, last, n * sizeof(F));
      }
    }
  }
}

template <class F> void Slice<F>::finish() {
  for (std::size_t s = 0; s < plan_.states.size(); ++s) {
    const auto& out = call_.final[s];
    const Index n = stride_[plan_.states[s]];
    const auto [from, to] = block_of(plan_, call_, std::max<Index>(call_.blocks() - 1, 0));
    for (Index r = 0; r < m_; ++r) {
      F* theirs = out.data + row(r) * out.stride[0];
      if (length(r) == 0) {
        copy_row(theirs, call_.initial[s], row(r), n);
      } else {
        const Index end = plan_.descending ? from : std::clamp(length(r), from, to);
        std::memcpy(theirs, state(s, end) + r * n, n * sizeof(F));
      }
    }
  }
}

template <class F> void Slice<F>::chunk(Index from, Index to) {
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i)
    if (plan_.buffers[i].kind == Kind::Chunk) base_[i] = start_[i] - from * step_[i];
  all_steps(0, from, to);
  for (Index done = 0; done < to - from; ++done) {
    const Index step = plan_.descending ? to - 1 - done : from + done;
    const Index rows = active(step);
    if (rows == 0) continue;
    const Index next = plan_.descending ? step - 1 : step + 1;
    if (0 <= next && next < call_.T) fetch_ahead(next, rows);
    if (call_.restart && !plan_.descending) restart(step);
    run(1, step, step + 1, rows);
    if (call_.restart && plan_.descending) restart(step);
  }
  all_steps(2, from, to);
}

// What is kept is not in the nearest caches: ask for the next step's while this one is computed.
template <class F> void Slice<F>::fetch_ahead(Index step, Index rows) {
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    const Kind kind = plan_.buffers[i].kind;
    if (kind != Kind::Saved && kind != Kind::Tape) continue;
    const char* first = reinterpret_cast<const char*>(base_[i] + step * step_[i]);
    const Index bytes = rows * stride_[i] * static_cast<Index>(sizeof(F));
    if (kind == Kind::Saved)
      for (Index at = 0; at < bytes; at += kLine) __builtin_prefetch(first + at, 0, 2);
    else
      for (Index at = 0; at < bytes; at += kLine) __builtin_prefetch(first + at, 1, 2);
  }
}

template <class F> void Slice<F>::all_steps(int part, Index from, Index to) {
  if (plan_.parts[part].empty()) return;
  if (active(to - 1) == m_) return run(part, from, to, (to - from) * m_);
  for (Index step = from; step < to; ++step)
    if (const Index rows = active(step)) run(part, step, step + 1, rows);
}

template <class F> void Slice<F>::run(int part, Index from, Index to, Index rows) {
  const Instruction* at = plan_.parts[part].data();
  const Instruction* end = at + plan_.parts[part].size();
  while (at != end) {
    if (static_cast<int>(at->op) < kPointwise) {
      const Instruction* stop = at;
      while (stop != end && static_cast<int>(stop->op) < kPointwise) ++stop;
      pointwise(at, stop, from, rows);
      at = stop;
    } else {
      if (at->op == Op::Load || at->op == Op::Store)
        port(*at, from, to);
      else
        product(*at, from, rows);
      ++at;
    }
  }
}

template <class F>
void Slice<F>::pointwise(const Instruction* from, const Instruction* to, Index step, Index rows) {
  const Index count = to - from;
  for (Index i = 0; i < count; ++i) {
    const Instruction& in = from[i];
    Strip<F>& s = strips_[i];
    s.d = at(in.d, step), s.ds = stride_[in.d.buffer];
    s.a = in.a.buffer < 0 ? nullptr : at(in.a, step), s.as = in.a.buffer < 0 ? 0 : stride_[in.a.buffer];
    s.b = in.b.buffer < 0 ? nullptr : at(in.b, step), s.bs = in.b.buffer < 0 ? 0 : stride_[in.b.buffer];
    s.c = in.c.buffer < 0 ? nullptr : at(in.c, step), s.cs = in.c.buffer < 0 ? 0 : stride_[in.c.buffer];
    s.n = in.n, s.k = in.k, s.inner = in.inner, s.height = in.height, s.width = in.width;
  }
  auto strip = [&](const Operand& o) {
    return o.buffer >= 0 && plan_.buffers[o.buffer].kind == Kind::Strip;
  };
  for (Index r = 0; r < rows; r += strip_) {
    const Index some = std::min(strip_, rows - r);
    for (Index i = 0; i < count; ++i) {
      Strip<F>& s = strips_[i];
      const Instruction& in = from[i];
      s.rows = some;
      kernels_.pointwise[static_cast<int>(in.op)][in.constants](s);
      if (!strip(in.d)) s.d += strip_ * s.ds;
      if (!strip(in.a)) s.a += strip_ * s.as;
      if (!strip(in.b)) s.b += strip_ * s.bs;
      if (!strip(in.c)) s.c += strip_ * s.cs;
    }
  }
}

template <class F> void Slice<F>::product(const Instruction& i, Index step, Index rows) {
  const bool plus = i.b.buffer >= 0;
  kernels_.product(at(i.d, step), stride_[i.d.buffer], plus ? at(i.b, step) : nullptr,
                   plus ? stride_[i.b.buffer] : 0, at(i.a, step), stride_[i.a.buffer],
                   packed_[2 * i.matrix + (i.op == Op::LinearT)], rows, i.k, i.n);
}

template <class F> void Slice<F>::port(const Instruction& i, Index from, Index to) {
  const bool in = i.op == Op::Load;
  const Operand& own = in ? i.d : i.a;
  const Index stride = stride_[own.buffer];
  for (Index step = from; step < to; ++step) {
    F* mine = at(own, step);
    const Index rows = active(step);
    for (Index r = 0; r < rows; ++r, mine += stride) {
      const Index t = time(step, r), b = row(r);
      if (in) {
        const auto& x = call_.loads[i.port];
        const F* theirs = x.data + t * x.stride[0] + b * x.stride[1];
        if (x.stride[2] == 1)
          std::memcpy(mine, theirs, i.n * sizeof(F));
        else
          for (Index j = 0; j < i.n; ++j) mine[j] = theirs[j * x.stride[2]];
      } else {
        const auto& y = call_.stores[i.port];
        F* theirs = y.data + t * y.stride[0] + b * y.stride[1];
        if (y.stride[2] == 1 && stride)
          std::memcpy(theirs, mine, i.n * sizeof(F));
        else
          for (Index j = 0; j < i.n; ++j)
            theirs[j * y.stride[2]] =
                plan_.buffers[own.buffer].kind == Kind::Constant ? mine[0] : mine[j];
      }
    }
  }
}

// Forward: the row's state becomes the fresh one before the step. Backward: the gradient that
// would cross goes to the fresh state.
template <class F> void Slice<F>::restart(Index step) {
  const Index rows = active(step);
  for (Index r = 0; r < rows; ++r) {
    const Index b = row(r);
    if (!call_.restart[time(step, r) * call_.restart_stride[0] + b * call_.restart_stride[1]])
      continue;
    for (std::size_t s = 0; s < plan_.states.size(); ++s) {
      const Index n = stride_[plan_.states[s]];
      F* mine = state(s, step) + r * n;
      if (!plan_.descending) {
        copy_row(mine, call_.fresh[s], b, n);
      } else {
        F* gradient = call_.fresh_gradients[s] + b * n;
        for (Index j = 0; j < n; ++j) gradient[j] += mine[j], mine[j] = 0;
      }
    }
  }
}

template class Slice<float>;
template class Slice<double>;

}  // namespace recurra
