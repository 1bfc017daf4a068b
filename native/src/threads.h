// Work on several threads.
#pragma once

#include "tape.h"

namespace recurra {

// Call work(context, task) for every task from 0 to tasks - 1, on at most `threads` threads, of
// which the caller is one: OpenMP's where there is OpenMP, in a forked child and elsewhere our own.
// What a task raises is raised here, after the others have ended.
void parallel(Index tasks, Index threads, void (*work)(void* context, Index task), void* context);

// Let the process be forked at any time: a child finds no threads that are gone, in torch either.
void watch_forks();

template <class Work> void parallel(Index tasks, Index threads, Work& work) {
  parallel(tasks, threads, [](void* w, Index task) { (*static_cast<Work*>(w))(task); }, &work);
}

}  // namespace recurra
