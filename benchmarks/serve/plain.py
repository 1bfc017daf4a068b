"""The peer: a streaming server of the same model as one would write it with FastAPI and torch.nn.

    python benchmarks/serve/plain.py WEIGHTS PORT

One step of one stream a request: POST /streams, POST /streams/{id}/step {"symbol": "a"}; and a
WebSocket /ws, a stream a connection, {"symbol": "a"} a message. The state of each stream is in a
dict. Prints its address when it answers. It knows nothing of Recurra.
"""

import sys
import uuid
from contextlib import asynccontextmanager

import torch
import uvicorn
from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from pydantic import BaseModel
from safetensors import safe_open
from torch import nn


class Tagger(nn.Module):
    """Symbols in, a distribution of tags for each out."""

    def __init__(self, symbols: int, embedding: int, hidden: int, tags: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, embedding)
        self.lstm = nn.LSTM(embedding, hidden)
        self.head = nn.Linear(hidden, tags)

    def forward(self, tokens, state=None):
        out, state = self.lstm(self.embedding(tokens), state)
        return self.head(out).softmax(-1), state


class Step(BaseModel):
    symbol: str


def load(path: str) -> tuple[Tagger, dict[str, int]]:
    with safe_open(path, "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        alphabet = file.metadata()["alphabet"]
    symbols, embedding = weights["embedding.weight"].shape
    tags, hidden = weights["head.weight"].shape
    model = Tagger(symbols, embedding, hidden, tags)
    model.load_state_dict(weights)
    return model.eval(), {symbol: number for number, symbol in enumerate(alphabet, 3)}


def make_app(path: str, url: str) -> FastAPI:
    model, numbers = load(path)
    states: dict[str, object] = {}

    @asynccontextmanager
    async def lifespan(app):
        print(url, flush=True)
        yield

    app = FastAPI(lifespan=lifespan)

    def step(symbol: str, state):
        with torch.no_grad():
            p, state = model(torch.tensor([[numbers[symbol]]]), state)
        return p[0, 0].tolist(), state

    @app.post("/streams")
    async def open_stream():
        name = str(uuid.uuid4())
        states[name] = None
        return {"stream": name}

    @app.post("/streams/{name}/step")
    async def push(name: str, body: Step):
        if name not in states:
            raise HTTPException(404, "no such stream")
        p, states[name] = step(body.symbol, states[name])
        return {"probabilities": p}

    @app.websocket("/ws")
    async def talk(socket: WebSocket):
        await socket.accept()
        state = None
        try:
            while True:
                message = await socket.receive_json()
                p, state = step(message["symbol"], state)
                await socket.send_json({"probabilities": p})
        except WebSocketDisconnect:
            pass

    return app


def main() -> None:
    weights, port = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    app = make_app(weights, f"http://127.0.0.1:{port}/")
    uvicorn.run(
        app, host="127.0.0.1", port=port, log_level="error", access_log=False,
        http="httptools", loop="uvloop", ws="websockets-sansio", ws_per_message_deflate=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
