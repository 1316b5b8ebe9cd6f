"""Small networks for the tests of graph, split and spec."""

import torch
from torch import nn
from torch.nn import functional


class LeNet(nn.Module):
    """With everything that a small network may do: in-place activations, methods, functions, dropout by function."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.dropout = dropout
        self.conv1, self.relu1, self.pool1 = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        self.conv2, self.relu2, self.pool2 = nn.Conv2d(4, 8, 3), nn.ReLU(), nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(32, 16), nn.Linear(16, 10)

    def forward(self, x):
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.pool2(self.relu2(self.conv2(x)))
        x = x.view(x.size(0), -1)
        x = functional.dropout(functional.relu(self.fc1(x)), self.dropout, training=self.training)
        return self.fc2(x)


class Block(nn.Module):
    """A residual block that calls one ReLU twice and adds in place."""

    def __init__(self, before, after, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Conv2d(before, after, 1, stride) if stride > 1 else None

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.shortcut is None else self.shortcut(x)
        return self.relu(out)


def resnet():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        Block(4, 4),
        Block(4, 8, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


def vgg():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 16),
        nn.ReLU(inplace=True),
        nn.Dropout(0.0),
        nn.Linear(16, 10),
    )


class Dense(nn.Module):
    """Every layer reads all before it, so that gradients of many readers add up in every tensor."""

    def __init__(self, layers=4, growth=3):
        super().__init__()
        self.stem = nn.Conv2d(1, growth, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(growth * (i + 1), growth, 3, padding=1) for i in range(layers))
        self.head = nn.Linear(growth * (layers + 1), 10)

    def forward(self, x):
        features = [torch.tanh(self.stem(x))]
        for layer in self.layers:
            features.append(torch.tanh(layer(torch.cat(features, 1))))
        return self.head(torch.cat(features, 1).mean((2, 3)))


class Classifier(nn.Module):
    """An LSTM over the rows of an image: its layer gives a tuple."""

    def __init__(self):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 10)

    def forward(self, x):
        out, (h, _) = self.lstm(x.squeeze(1))
        return self.fc(out[:, -1] + h[0])


class Transformer(nn.Module):
    """Tokens with a class token and positions: weights that are used without a module."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.token, self.position = nn.Parameter(torch.zeros(1, 1, 16)), nn.Parameter(torch.randn(1, 9, 16))
        self.register_buffer("scale", torch.tensor(0.5), persistent=False)
        self.norm, self.attention = nn.LayerNorm(16), nn.MultiheadAttention(16, 2, dropout, batch_first=True)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        n, _, rows, columns = x.shape
        x = self.embed(x.reshape(n, rows, columns))
        x = torch.cat([self.token.expand(n, -1, -1), x], 1) + self.position * self.scale
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.fc(x[:, 0])


NETWORKS = {
    "lenet": LeNet,
    "resnet": resnet,
    "vgg": vgg,
    "dense": Dense,
    "lstm": Classifier,
    "transformer": Transformer,
}
PIXELS = {"lenet": 12}


def network(name):
    """The network, the same each time, and samples for it."""
    torch.manual_seed(5)
    pixels = PIXELS.get(name, 8)
    return NETWORKS[name](), torch.randn(3, 1, pixels, pixels)
