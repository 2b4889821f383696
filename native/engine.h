// Many callers, a few threads: each thread decodes its own sentences, and takes new ones as others finish.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "search.h"

namespace endash {

struct Event {
    uint64_t id = 0;
    std::vector<int> tokens;        // streamed: that have become certain
    bool done = false, cancelled = false;
    std::vector<Hypothesis> found;  // when done
    std::string error;              // why there are none
};

// For each source token the target tokens that may be written.
struct Shortlist {
    std::vector<int> common, offsets, tokens;
    std::vector<char> is_common;
    Matrix matrix;  // of the common tokens
    Arena arena;
};

class Engine {
public:
    // `rows`: beams that a thread brings forward together; `room`: requests that wait at most
    Engine(std::shared_ptr<const Model> model, int threads, int rows, int room);
    ~Engine();

    void use_shortlist(std::vector<int> common, std::vector<int> offsets, std::vector<int> tokens);
    // 0 where as many requests wait as may, or the engine is closed
    uint64_t submit(std::shared_ptr<Request> request);
    // Comes back when a request may be submitted, or after `seconds`.
    void wait_for_room(double seconds);
    void cancel(uint64_t id);
    // What has happened, as soon as something has; nothing when `seconds` are over or the engine is closed.
    std::vector<Event> wait(double seconds);
    void close();
    bool closed() const { return events_closed_; }
    size_t memory() const { return memory_; }  // bytes of the sentences under way

private:
    struct Worker;
    void work();
    std::vector<std::shared_ptr<Request>> take(int rows, bool idle);
    void tell(std::vector<Event>& events, bool all);

    const std::shared_ptr<const Model> model_;
    const int threads_count_, rows_, room_;
    std::unique_ptr<Shortlist> shortlist_;
    std::mutex mutex_, event_mutex_;
    std::condition_variable has_work_, has_room_, has_events_;
    std::deque<std::shared_ptr<Request>> waiting_;
    std::unordered_map<uint64_t, std::shared_ptr<Request>> known_;
    std::vector<Event> events_;
    uint64_t last_id_ = 0;
    bool closed_ = false;
    std::atomic<bool> events_closed_{false};
    std::atomic<size_t> memory_{0};
    std::vector<std::thread> threads_;
};

}  // namespace endash
