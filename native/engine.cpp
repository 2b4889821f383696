#include "engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace endash {

Engine::Engine(std::shared_ptr<const Model> model, int threads, int rows, int room)
    : model_(std::move(model)), threads_count_(threads), rows_(rows), room_(room) {
    for (int i = 0; i < threads; i++) threads_.emplace_back([this] { work(); });
}

Engine::~Engine() { close(); }

void Engine::close() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        closed_ = true;
        for (auto& [id, request] : known_) request->cancelled = true;
    }
    has_work_.notify_all(), has_room_.notify_all();
    for (auto& thread : threads_)
        if (thread.joinable()) thread.join();
    std::lock_guard<std::mutex> lock(event_mutex_);
    events_closed_ = true;
    has_events_.notify_all();
}

void Engine::use_shortlist(std::vector<int> common, std::vector<int> offsets, std::vector<int> tokens) {
    shortlist_ = std::make_unique<Shortlist>();
    shortlist_->matrix = model_->gather(common.data(), (int)common.size(), shortlist_->arena);
    shortlist_->is_common.assign(model_->settings.target_size, 0);
    for (int token : common) shortlist_->is_common[token] = 1;
    common.resize(shortlist_->matrix.outputs, model_->projection.outputs);
    shortlist_->common = std::move(common), shortlist_->offsets = std::move(offsets), shortlist_->tokens = std::move(tokens);
}

void Engine::wait_for_room(double seconds) {
    std::unique_lock<std::mutex> lock(mutex_);
    has_room_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return closed_ || (int)waiting_.size() < room_; });
}

uint64_t Engine::submit(std::shared_ptr<Request> request) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_ || (int)waiting_.size() >= room_) return 0;
    request->id = ++last_id_;
    known_[request->id] = request;
    waiting_.push_back(std::move(request));
    has_work_.notify_one();
    return last_id_;
}

void Engine::cancel(uint64_t id) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto at = known_.find(id);
    if (at == known_.end()) return;
    at->second->cancelled = true;
    // one that still waits leaves at once: its place is free, and no thread has to come to it; ids rise along the queue
    const auto place = std::lower_bound(waiting_.begin(), waiting_.end(), id, [](const auto& request, uint64_t id) { return request->id < id; });
    if (place == waiting_.end() || (*place)->id != id) return;
    waiting_.erase(place);
    known_.erase(at);
    Event e;
    e.id = id, e.done = e.cancelled = true;
    std::lock_guard<std::mutex> told(event_mutex_);
    events_.push_back(std::move(e));
    has_events_.notify_all(), has_room_.notify_all();
}

std::vector<Event> Engine::wait(double seconds) {
    std::unique_lock<std::mutex> lock(event_mutex_);
    has_events_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return events_closed_ || !events_.empty(); });
    return std::exchange(events_, {});
}

// While others wait for a thread, events are told by the group: to wake their reader for each would take time from the threads.
void Engine::tell(std::vector<Event>& events, bool all) {
    constexpr size_t group = 16;
    if (events.empty()) return;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!all && !waiting_.empty() && events.size() < group) return;
        for (const Event& e : events)
            if (e.done) known_.erase(e.id);
    }
    std::lock_guard<std::mutex> lock(event_mutex_);
    for (Event& e : events) events_.push_back(std::move(e));
    events.clear();
    has_events_.notify_all();
}

// Requests for the beams that are free; all threads get their share of what waits.
std::vector<std::shared_ptr<Request>> Engine::take(int rows, bool idle) {
    constexpr size_t together = 16;  // sources are encoded together: more rows for each matrix
    std::vector<std::shared_ptr<Request>> taken;
    std::unique_lock<std::mutex> lock(mutex_);
    if (idle) has_work_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    const size_t share = std::min(together, (waiting_.size() + threads_count_ - 1) / threads_count_);
    while (!waiting_.empty() && taken.size() < share && (rows > 0 || (idle && taken.empty()))) {
        rows -= waiting_.front()->options.sample ? waiting_.front()->options.n_best : waiting_.front()->options.beam;
        taken.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    if (!taken.empty()) has_room_.notify_all();
    return taken;
}

// What one thread has in hand.
struct Engine::Worker {
    Worker(Engine& engine) : engine(engine), model(*engine.model_), k(model.kernels), step(model) {}

    Engine& engine;
    const Model& model;
    const Kernels& k;
    Step step;
    std::deque<std::unique_ptr<Search>> ready;  // read, but not under way
    std::vector<std::unique_ptr<Search>> active;
    std::vector<Event> events;
    std::vector<Bans> bans;
    std::vector<float> sums, totals, best_scores, row;
    std::vector<int> best_tokens;
    std::vector<char> allowed;  // of the target's tokens, those that a shortlist has so far
    size_t memory = 0;

    // Beams under way: a sentence has all of its own from its second step on, but for those that were pruned.
    int rows() const {
        int rows = 0;
        for (const auto& s : active) rows += s->sentence.position > 1 ? s->sentence.beams : s->sentence.width;
        return rows;
    }

    void finish(Search& search, const std::string& error = "") {
        Event e;
        search.tell_read();
        e.id = search.request->id, e.done = true, e.cancelled = search.request->cancelled;
        e.found = std::move(search.found), e.error = error;
        if (e.error.empty() && e.found.empty() && !e.cancelled) e.error = "every token is banned, so there is nothing to write";
        events.push_back(std::move(e));
    }

    // Reads more sources, and brings sentences that were read under way while there is room.
    bool admit() {
        const int room = engine.rows_ - rows();
        if (ready.empty()) {
            const bool idle = active.empty();
            // a whole group is read ahead: it waits a little for its beams, and the matrices are used by more rows
            auto taken = engine.take(room > 0 ? std::max(room, 16 * engine.rows_) : 0, idle);
            if (taken.empty() && idle) return false;
            open(std::move(taken));
        }
        int free = room;
        while (!ready.empty() && (free >= ready.front()->sentence.width || active.empty())) {
            free -= ready.front()->sentence.width;
            active.push_back(std::move(ready.front()));
            ready.pop_front();
        }
        return true;
    }

    void open(std::vector<std::shared_ptr<Request>> requests) {
        std::vector<Sentence*> sources, memories;
        for (auto& request : requests) {
            if (const std::string problem = misfit(*request); request->cancelled || !problem.empty()) {
                Event e;
                e.id = request->id, e.done = true, e.cancelled = request->cancelled, e.error = problem;
                events.push_back(std::move(e));
                continue;
            }
            ready.push_back(std::make_unique<Search>(model, std::move(request)));
            Search& search = *ready.back();
            (search.sentence.memory.empty() ? sources : memories).push_back(&search.sentence);
            if (search.request->options.shortlist && engine.shortlist_) gather(search);
        }
        for (auto* group : {&sources, &memories})
            if (!group->empty()) step.open(*group);
    }

    // Why the model cannot decode it.
    std::string misfit(const Request& request) const {
        for (const auto& [stack, length] : {std::pair<const Stack&, int>(model.encoder, request.memory.empty() ? (int)request.source.size() : 0), {model.decoder, request.limit}})
            if (stack.table && length > stack.table_length)
                return std::to_string(length) + " positions are more than the " + std::to_string(stack.table_length) + " learned ones";
        return "";
    }

    void gather(Search& search) {
        const Shortlist& list = *engine.shortlist_;
        Sentence& s = search.sentence;
        allowed = list.is_common;
        auto add = [&](int token) {
            if (!std::exchange(allowed[token], 1)) s.own_tokens.push_back(token);
        };
        for (int token : s.tokens) std::for_each(list.tokens.begin() + list.offsets[token], list.tokens.begin() + list.offsets[token + 1], add);
        for (int token : search.request->prefix) add(token);
        s.gathered = std::make_unique<Arena>(size_t(64) << 10);
        s.own = model.gather(s.own_tokens.data(), (int)s.own_tokens.size(), *s.gathered);
        s.own_tokens.resize(s.own.outputs, model.projection.outputs);
    }

    Best best_of(int first, const int* tokens_of, int count) {
        return {count, best_scores.data() + (size_t)first * count, best_tokens.data() + (size_t)first * count, bans.data() + first, tokens_of};
    }

    // The best of every row, and the log2 of the sum over all that it could write.
    void project(int count) {
        const size_t all = bans.size();
        best_scores.assign(all * count, -INFINITY), best_tokens.assign(all * count, -1);
        sums.assign(all * LANES, 0.f), totals.assign(all, 0.f);
        int first = 0;
        for (size_t i = 0; i < active.size();) {  // neighbours that are projected alike, together
            const bool listed = active[i]->sentence.gathered != nullptr, summed = sums_of(*active[i]);
            int together = 0;
            size_t next = i;
            for (; next < active.size() && (active[next]->sentence.gathered != nullptr) == listed && sums_of(*active[next]) == summed; next++)
                together += active[next]->sentence.beams;
            float* to = summed ? sums.data() : nullptr;
            auto sums_at = [&](int row) { return to ? to + (size_t)row * LANES : nullptr; };
            const Matrix& matrix = listed ? engine.shortlist_->matrix : model.projection;
            const int* tokens_of = listed ? engine.shortlist_->common.data() : nullptr;
            k.project(matrix, step.hidden(first, together), best_of(first, tokens_of, count), sums_at(first));
            for (; i < next; i++) {
                Sentence& s = active[i]->sentence;
                if (listed) k.project(s.own, step.hidden(first, s.beams), best_of(first, s.own_tokens.data(), count), sums_at(first));
                for (int b = 0; b < s.beams; b++)  // without a best one it has to be known why: all are banned, or not finite
                    if (summed || best_scores[(size_t)(first + b) * count] == -INFINITY) totals[first + b] = total(first + b, matrix, s);
                first += s.beams;
            }
        }
    }

    static bool sums_of(const Search& s) { return s.request->options.scored || s.request->options.beam > 1 || s.request->options.sample; }

    float total(int at, const Matrix& matrix, const Sentence& s) {
        float sum = 0;
        for (int i = 0; i < LANES; i++) sum += sums[(size_t)at * LANES + i];
        if (sum > 1e-30f && sum < 1e30f) return std::log2(sum);  // AVX2's exp2 goes no further than 2 ** 127
        std::vector<float> scores(matrix.outputs);  // it has overflown: once more, with the largest taken off
        k.product(matrix, step.hidden(at, 1), scores.data(), matrix.outputs, false, nullptr);
        if (s.gathered) {
            scores.resize(matrix.outputs + s.own.outputs);
            k.product(s.own, step.hidden(at, 1), scores.data() + matrix.outputs, s.own.outputs, false, nullptr);
        }
        double most = -INFINITY, exact = 0;
        for (float x : scores) most = std::max(most, (double)x);
        for (float x : scores) exact += std::exp2(x - most);
        return (float)(most + std::log2(exact));
    }

    void advance() {
        std::vector<Sentence*> sentences;
        for (const auto& s : active) sentences.push_back(&s->sentence);
        step.advance(sentences);
        bans.clear();
        int count = 1;
        for (const auto& s : active) s->ban(bans), count = std::max(count, s->candidates());
        bool sampling = false;
        for (const auto& s : active) sampling |= s->request->options.sample;
        project(count);
        size_t stay = 0;
        int first = 0;
        std::vector<int> parents;
        for (auto& search : active) {
            const int beams = search->sentence.beams;
            bool finite = true, ended;
            for (int b = 0; b < beams; b++) finite &= std::isfinite(totals[first + b]);
            if (!finite) {
                finish(*search, "the model's scores are not finite");
            } else {
                if (search->request->options.sample) {
                    row.resize((size_t)beams * model.projection.outputs);
                    step.scores(first, beams, row.data());
                    ended = search->draw(row, model.projection.outputs, bans, first, parents);
                } else {
                    ended = search->go_on(best_of(0, nullptr, count), first, totals.data() + first, parents);
                }
                if (ended || search->request->cancelled) {
                    finish(*search);
                } else {
                    if (search->request->options.stream) {
                        Event e;
                        e.id = search->request->id, e.tokens = search->certain();
                        if (!e.tokens.empty()) events.push_back(std::move(e));
                    }
                    step.reorder(search->sentence, parents);
                    active[stay++] = std::move(search);
                }
            }
            first += beams;
        }
        active.resize(stay);
    }

    void account() {
        size_t now = 0;
        for (const auto& s : active) now += s->sentence.bytes();
        for (const auto& s : ready) now += s->sentence.bytes();
        engine.memory_ += now - memory;
        memory = now;
    }

    void drop_all(const std::string& error) {
        for (auto& s : active) finish(*s, error);
        for (auto& s : ready) finish(*s, error);
        active.clear(), ready.clear();
    }
};

void Engine::work() {
    Worker worker(*this);
    while (true) {
        try {
            {
                std::lock_guard<std::mutex> lock(mutex_);
                if (closed_) break;
            }
            if (!worker.admit()) continue;
            if (!worker.active.empty()) worker.advance();
            worker.account();
        } catch (const std::exception& error) {
            worker.drop_all(error.what());
            worker.account();
        }
        tell(worker.events, worker.active.empty() && worker.ready.empty());  // before it may have to wait for work
    }
    worker.drop_all("the engine was closed");
    tell(worker.events, true);
}

}  // namespace endash
