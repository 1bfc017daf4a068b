// Memory for what a run keeps: blocks that are used again, for new pages cost more than filling them.
#pragma once

#include <cstddef>

namespace recurra {

// A block of at least `bytes`, on a boundary of 64 bytes. Raises std::bad_alloc.
void* acquire(std::size_t bytes);
// Give a block back. Up to 256 MB of blocks wait for their next use, the oldest leaves first.
void release(void* block);
// Bytes that wait.
std::size_t waiting();

}  // namespace recurra
