# Picks, catalogues and live picking without a Python environment of your own:
#
#   docker build --tag seisbench_llm .
#   docker run --rm --volume "$PWD:/data" seisbench_llm pick day.mseed --out picks --plot
FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
# The CPU build of PyTorch; the one with CUDA is several times larger.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu torch \
    && /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt ".[monitor,archive,pages,export]"

FROM python:3.11-slim
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/home/picker \
    MPLCONFIGDIR=/tmp/matplotlib
RUN useradd --create-home --home-dir /home/picker picker
USER picker
WORKDIR /data
ENTRYPOINT ["seisbench-llm"]
CMD ["--help"]
