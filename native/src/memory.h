// Memory for scratch: on a boundary of 64 bytes, kept from use to use, not cleared.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>

#include "tape.h"

namespace recurra {

template <class F> class Memory {
 public:
  // `size` elements; what was there before is lost.
  F* get(Index size) {
    const std::size_t wanted = (static_cast<std::size_t>(size) * sizeof(F) / kLine + 1) * kLine;
    if (wanted > held_ || (held_ > kMuch && wanted < held_ / 4)) {
      memory_.reset();
      held_ = 0;
      memory_.reset(static_cast<F*>(std::aligned_alloc(kLine, wanted)));
      if (!memory_) throw std::bad_alloc();
      held_ = wanted;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(F* p) const { std::free(p); }
  };
  static constexpr std::size_t kLine = 64, kMuch = std::size_t{64} << 20;  // bytes
  std::unique_ptr<F, Free> memory_;
  std::size_t held_ = 0;
};

// Scratch of the calling thread, until it asks again.
template <class F> F* thread_scratch(Index size) {
  thread_local Memory<F> memory;
  return memory.get(size);
}

}  // namespace recurra
