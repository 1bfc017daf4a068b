// Work on several threads.
#pragma once

#include "tape.h"

namespace recurra {

// Call work(context, task) for every task from 0 to tasks - 1, on at most `threads` threads.
// The threads are OpenMP's, which torch uses too: a pool of our own would fight torch's for the
// processor. A forked child has lost its parent's threads, and works alone.
// What a task raises is raised here, after the others have ended.
void parallel(Index tasks, Index threads, void (*work)(void* context, Index task), void* context);

template <class Work> void parallel(Index tasks, Index threads, Work& work) {
  parallel(tasks, threads, [](void* w, Index task) { (*static_cast<Work*>(w))(task); }, &work);
}

}  // namespace recurra
